// nginx with certificates, and proxies on the way.
#include "tests/contract/connectors/http/world.h"

#include "agent/connectors/http/http_connection_test.h"
#include "tests/support/free_port.h"
#include "tests/support/told_certificate.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <filesystem>

using namespace sallyport;
using namespace std::chrono_literals;
using test::args;
using test::classes_of;
using test::HttpWorld;
using test::scripted;

namespace {

// A CA, certificates for 127.0.0.1 and for another host, and one of a client.
void make_certificates(const test::TempDir& dir) {
  dir.write("ca.conf",
            "[ca]\nbasicConstraints=critical,CA:true\n[good]\nsubjectAltName=IP:127.0.0.1\n[other]\nsubjectAltName=DNS:"
            "other.example\n"
            "[client]\nextendedKeyUsage=clientAuth\n");
  test::output_of(fmt::format(
      "cd {} && new() {{ openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=$1 -keyout "
      "$1.key -out $1.csr; }} && "
      "new ca && openssl x509 -req -in ca.csr -signkey ca.key -days 2 -extfile ca.conf -extensions ca -out ca.pem && "
      "for one in good other client; do new $one && openssl x509 -req -in $one.csr -CA ca.pem -CAkey ca.key "
      "-CAcreateserial -days 2 "
      "-extfile ca.conf -extensions $one -out $one.pem || exit 1; done",
      dir.path()));
}

class Nginx {
 public:
  Nginx() {
    make_certificates(dir_);
    std::filesystem::permissions(dir_.path(), std::filesystem::perms::all);
    std::filesystem::create_directories(dir_.path("store"));
    dir_.write("nginx.conf", configuration());
    process_ = std::make_unique<test::RunningServer>(
        std::vector<std::string>{"/usr/sbin/nginx", "-p", dir_.path(), "-c", dir_.path("nginx.conf"), "-e",
                                 dir_.path("error.log")},
        dir_.path("error.log"));
    process_->wait_until([this] { return test::takes_connections(good) && test::takes_connections(old); });
  }

  std::string url(std::uint16_t port) const { return fmt::format("url: \"https://127.0.0.1:{}\"", port); }
  std::string trusted(std::uint16_t port) const {
    return url(port) + fmt::format(", ca_file: \"{}\"", dir_.path("ca.pem"));
  }
  std::string file(const std::string& name) const { return dir_.path(name); }
  std::string with_client(const std::string& certificate, const std::string& key) const {
    return trusted(good) + fmt::format(", client_certificate_file: \"{}\", client_key_file: \"{}\"",
                                       dir_.path(certificate), dir_.path(key));
  }

  std::uint16_t good = test::free_port(), other = test::free_port(), old = test::free_port();

 private:
  std::string configuration() const {
    const auto server = [&](std::uint16_t port, const char* name, const char* protocols, const char* more) {
      return fmt::format(
          "server {{ listen 127.0.0.1:{0} ssl; ssl_certificate {1}/{2}.pem; ssl_certificate_key {1}/{2}.key; "
          "ssl_protocols {3};\n{4} }}\n",
          port, dir_.path(), name, protocols, more);
    };
    return fmt::format(
               "daemon off; master_process off; pid {0}/pid; {1}\nevents {{}}\nhttp {{ access_log off; "
               "client_max_body_size 0;\n"
               "client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; "
               "scgi_temp_path {0}/s;\n",
               dir_.path(), ::geteuid() == 0 ? "user root;" : "") +
           server(good, "good", "TLSv1.2 TLSv1.3",
                  fmt::format("ssl_client_certificate {0}/ca.pem; ssl_verify_client optional; location /store {{ root "
                              "{0}; dav_methods PUT DELETE; "
                              "create_full_put_path on; }} location /client {{ if ($ssl_client_verify != SUCCESS) {{ "
                              "return 403; }} return 200 "
                              "$ssl_client_s_dn; }} location / {{ return 200 $ssl_protocol; }}",
                              dir_.path())
                      .c_str()) +
           server(other, "other", "TLSv1.2", "location / { return 200 x; }") +
           server(old, "good", "TLSv1 TLSv1.1", "ssl_ciphers ALL:@SECLEVEL=0; location / { return 200 x; }") + "}\n";
  }

  test::TempDir dir_;
  std::unique_ptr<test::RunningServer> process_;
};

const std::string kPolicy = "{allow: [{methods: [GET, PUT, DELETE], paths: [\"/**\"]}], addresses: [loopback]}";

Nginx& nginx() {
  static Nginx server;
  return server;
}

std::string answer_of(HttpWorld& world, const std::string& path) {
  const auto output = world.get(path);
  if (!output) return classes_of(output);
  return world.agent->bodies.content(output->find("body")->as_handle());
}

}  // namespace

TEST_CASE("certificates are verified, and TLS is 1.2 at least", "[http][tls]") {
  HttpWorld good(nginx().trusted(nginx().good), kPolicy);
  CHECK(answer_of(good, "x").starts_with("TLSv1."));
  HttpWorld unknown(nginx().url(nginx().good), kPolicy);
  CHECK(answer_of(unknown, "x") == "connection");
  CHECK(unknown.agent->logged().contains("certificate"));
  HttpWorld other(nginx().trusted(nginx().other), kPolicy);
  CHECK(answer_of(other, "x") == "connection");
  HttpWorld old(nginx().trusted(nginx().old), kPolicy);
  CHECK(answer_of(old, "x") == "connection");
  test::output_of(fmt::format("curl -sk --tls-max 1.1 --tlsv1.0 --ciphers ALL:@SECLEVEL=0 https://127.0.0.1:{}/",
                              nginx().old));  // it speaks
}

TEST_CASE("a client shows its certificate", "[http][tls]") {
  HttpWorld client(nginx().with_client("client.pem", "client.key"), kPolicy);
  CHECK(answer_of(client, "client") == "CN=client");
  HttpWorld none(nginx().trusted(nginx().good), kPolicy);
  CHECK(answer_of(none, "client") == "status:403 permission");
  HttpWorld mixed(nginx().with_client("client.pem", "other.key"), kPolicy);
  const auto output = mixed.get("client");
  CHECK(classes_of(output) == "invalid");
  CHECK(output.error().message == "the connection api: its settings do not work; the agent's log says more");
}

TEST_CASE("a real server stores and gives files", "[http]") {
  HttpWorld world(nginx().trusted(nginx().good), kPolicy);
  const auto content = std::string(3'000'000, 'n');
  const auto body = world.agent->bodies.put(content);
  const auto at = [](const char* method) {
    return args({{"method", method}, {"path", "store/a/{name}"}, {"params", Value(args({{"name", "ü b.bin"}}))}});
  };
  auto put = at("PUT");
  put.emplace(Value("body"), Value(body));
  CHECK(*world.request(put)->find("status") == Value(201));
  CHECK(*world.request(put)->find("status") == Value(204));  // no second file
  const auto got = world.request(at("GET"));
  REQUIRE(got);
  CHECK(world.agent->bodies.content(got->find("body")->as_handle()) == content);
  CHECK(classes_of(world.request(at("DELETE"))).empty());
  CHECK(classes_of(world.request(at("GET"))) == "status:404 not_found");
}

namespace {

findings::Findings findings_of(HttpWorld& world) {
  const auto site = world.agent->site();
  return connectors::http::make_http_connection_test(site)->run(site.connections.find("api")->second,
                                                                world.agent->deadline());
}

}  // namespace

TEST_CASE("a proxy is used when the settings name one, and never the environment's", "[http][proxy]") {
  test::TempDir dir;
  const auto port = test::free_port();
  const auto user = ::geteuid() == 0 ? "User root\nGroup root\n" : "";
  dir.write("proxy.conf", fmt::format("{}Port {}\nListen 127.0.0.1\nTimeout 60\nAllow 127.0.0.1\nBasicAuth me "
                                      "pr0xy\nLogFile \"{}\"\nLogLevel Connect\n",
                                      user, port, dir.path("proxy.log")));
  test::RunningServer proxy({"/usr/bin/tinyproxy", "-d", "-c", dir.path("proxy.conf")}, dir.path("out.log"));
  proxy.wait_until([&] { return test::takes_connections(port); });
  const auto through = [&](const std::string& password) {
    return fmt::format(", proxy: {{url: \"http://127.0.0.1:{}\", user: me, password_file: \"{}\"}}", port,
                       test::secret_file(dir, "password", password));
  };
  const auto clear_text = "url: \"" + scripted().url() + "\"";
  const auto tls = nginx().trusted(nginx().good);
  {
    HttpWorld world(clear_text + through("pr0xy"));
    CHECK(classes_of(world.get("echo")).empty());
    HttpWorld secure(tls + through("pr0xy"), kPolicy);
    CHECK(answer_of(secure, "x").starts_with("TLSv1."));
  }
  CHECK(dir.read("proxy.log").contains("CONNECT 127.0.0.1"));
  {
    HttpWorld unknown(nginx().url(nginx().good) + through("pr0xy"), kPolicy);
    test::check_told(findings_of(unknown), nginx().file("good.pem"));
  }
  {
    HttpWorld world(tls + through("wrong"), kPolicy);
    CHECK(answer_of(world, "x") == "connection");
    CHECK(classes_of(world.request(args({{"method", "PUT"}, {"path", "x"}, {"text", "y"}}))) == "connection");
  }
  for (const char* variable : {"http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"})
    ::setenv(variable, "http://127.0.0.1:1", 1);
  HttpWorld direct(clear_text);
  CHECK(classes_of(direct.get("echo")).empty());
  HttpWorld secure(tls, kPolicy);
  CHECK(answer_of(secure, "x").starts_with("TLSv1."));
  ::setenv("no_proxy", "127.0.0.1", 1);
  HttpWorld all_the_same("url: \"" + scripted().url() + "\", proxy: {url: \"http://127.0.0.1:1\"}");
  CHECK(classes_of(all_the_same.get("echo")) == "connection");
  for (const char* variable : {"http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "no_proxy"})
    ::unsetenv(variable);
}

TEST_CASE("behind a proxy an address is judged all the same", "[http][proxy][ssrf]") {
  for (const char* url :
       {"http://169.254.169.254", "http://[::ffff:a9fe:a9fe]", "http://[64:ff9b::a9fe:a9fe]", "http://10.0.0.1"}) {
    HttpWorld world(fmt::format("url: \"{}\", proxy: {{url: \"http://127.0.0.1:1\"}}", url));
    CHECK(classes_of(world.get("latest")) == "policy");
  }
}

TEST_CASE("a test of a connection says how far one comes", "[http][connection]") {
  test::TempDir dir;
  const auto found = [](HttpWorld& world) {
    std::string text;
    for (const auto& finding : findings_of(world))
      text += fmt::format("{}:{} ", finding.check, findings::to_string(finding.verdict));
    return text;
  };
  HttpWorld good(nginx().trusted(nginx().good), kPolicy);
  CHECK(found(good) == "client:good dns:good tcp:good tls:good login:good ");
  HttpWorld unknown(nginx().url(nginx().good), kPolicy);
  CHECK(found(unknown) == "client:good dns:good tcp:good tls:bad ");
  test::check_told(findings_of(good), nginx().file("good.pem"));
  test::check_told(findings_of(unknown), nginx().file("good.pem"));
  HttpWorld other(nginx().trusted(nginx().other), kPolicy);
  const auto elsewhere = findings_of(other);
  CHECK(elsewhere.back().text.contains(test::fingerprint_of(nginx().file("other.pem"))));
  CHECK(elsewhere.back().advice.contains("one of its names"));
  HttpWorld nobody("url: \"http://127.0.0.1:1\"");
  CHECK(found(nobody) == "client:good dns:good tcp:bad ");
  HttpWorld forbidden("url: \"" + scripted().url() + "\"", kPolicy);
  CHECK(found(forbidden) == "client:good dns:good tcp:good permission:bad ");
  HttpWorld refused(fmt::format("url: \"{}/login\", auth: {{type: basic, user: u, password_file: \"{}\"}}",
                                scripted().url(), test::secret_file(dir, "password", "wrong")));
  CHECK(found(refused) == "client:good dns:good tcp:good login:bad ");
}
