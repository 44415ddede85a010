// Requests as steps write them, against a server that tells what came.
#include "tests/contract/connectors/http/world.h"

#include "shared/base/json.h"
#include "shared/crypto/digest.h"

#include <fmt/format.h>

#include <thread>

using namespace sallyport;
using namespace std::chrono_literals;
using test::args;
using test::classes_of;
using test::HttpWorld;
using test::scripted;

namespace {

const std::string kEchoUrl = "/api/echo";

Value map(std::initializer_list<std::pair<const char*, Value>> entries) { return Value(args(entries)); }

std::string text(const Value& echoed, std::string_view name) { return echoed.find(name)->as_string(); }

std::string header(const Value& echoed, std::string_view name) {
  const auto* value = echoed.find("headers")->find(name);
  return value == nullptr ? "none" : value->as_string();
}

}  // namespace

TEST_CASE("an answer comes with its status, its headers and its body", "[http]") {
  HttpWorld world;
  const auto output = world.request(args({{"path", "echo"}, {"query", map({{"a", 1}})}, {"read_json", true}}));
  REQUIRE(output);
  CHECK(output->find("status")->as_int() == 200);
  CHECK(output->find("headers")->find("content-type")->as_string() == "application/json");
  CHECK(output->find("headers")->find("x-answer")->as_string() == "yes");
  CHECK(output->find("headers")->find("set-cookie") == nullptr);
  const auto body = world.agent->bodies.content(output->find("body")->as_handle());
  CHECK(parse_json(body).value() == *output->find("json"));
  CHECK(text(*output->find("json"), "path") == "/api/echo?a=1");
  CHECK(output->find("body")->as_handle().attributes.at(Value("media_type")) == Value("application/json"));
}

TEST_CASE("an answer becomes a value only when it is JSON and small", "[http][bounds]") {
  HttpWorld world;
  const auto value_of = [&](const char* path, int n) {
    const auto output = world.request(args({{"path", path}, {"query", map({{"n", n}})}, {"read_json", true}}));
    REQUIRE(classes_of(output).empty());
    return *output->find("json");
  };
  CHECK(value_of("numbers", 2) == Value(ValueList{1e20, 1e20}));
  CHECK(value_of("numbers", 20'000).is_null());  // 100 kB that would be 460 kB
  CHECK(value_of("numbers", 30'000).is_null());
  CHECK(value_of("bytes", 5).is_null());
}

TEST_CASE("a dry run sends what only reads, and nothing else", "[http][dry]") {
  HttpWorld world;
  const auto dry = [&](const char* method) {
    scripted().forget_requests();
    return world.agent->dry_run(world.action("http.request@1"), args({{"method", method}, {"path", "echo"}}), "api");
  };
  for (const auto* method : {"GET", "HEAD"}) {
    const auto output = dry(method);
    REQUIRE(output);
    CHECK(output->plan == connectors::Plan::ran);
    CHECK(output->value.find("status")->as_int() == 200);
    CHECK(scripted().requests().size() == 1);
  }
  for (const auto* method : {"POST", "PUT", "PATCH", "DELETE"}) {
    const auto output = dry(method);
    REQUIRE(output);
    CHECK(output->plan == connectors::Plan::planned);
    CHECK(scripted().requests().empty());
  }
}

TEST_CASE("what a step sends arrives as it is", "[http]") {
  HttpWorld world;
  const auto bytes = world.agent->bodies.put(std::string(200'000, 'x'));
  const auto json = world.echoed(args({{"method", "POST"}, {"json", map({{"n", 1}, {"t", "ü"}})}}));
  CHECK(text(json, "body") == "{\"n\":1,\"t\":\"\xc3\x83\xc2\xbc\"}");
  CHECK(header(json, "content-type") == "application/json");
  CHECK(header(json, "idempotency-key") == "none");
  const auto form =
      world.echoed(args({{"method", "PUT"}, {"form", map({{"a b", "1&2"}, {"c", Value(ValueList{1, 2})}})}}));
  CHECK(text(form, "body") == "a%20b=1%262&c=1&c=2");
  CHECK(text(form, "method") == "PUT");
  const auto plain = world.echoed(args({{"method", "PATCH"}, {"text", "hello"}, {"content_type", "text/csv"}}));
  CHECK(text(plain, "body") == "hello");
  CHECK(header(plain, "content-type") == "text/csv");
  const auto stream = world.echoed(args({{"method", "POST"}, {"body", Value(bytes)}}));
  CHECK(stream.find("size")->as_int() == 200'000);
  CHECK(header(stream, "content-length") == "200000");
  CHECK(text(stream, "sha256") == hex(crypto::sha256(std::string(200'000, 'x'))));
  const auto nothing = world.echoed(args({{"method", "POST"}}));
  CHECK(header(nothing, "content-length") == "0");
  CHECK(header(world.echoed(args({{"method", "DELETE"}})), "content-length") == "none");
}

TEST_CASE("a body whose size nobody knows is sent in chunks", "[http]") {
  HttpWorld world;
  auto handle = world.agent->bodies.put("of unknown size");
  handle.attributes.erase(Value("size"));
  const auto echoed = world.echoed(args({{"method", "POST"}, {"body", Value(handle)}}));
  CHECK(header(echoed, "transfer-encoding") == "chunked");
  CHECK(text(echoed, "body") == "of unknown size");
}

TEST_CASE("parts become a form with files", "[http]") {
  HttpWorld world;
  const auto file = world.agent->bodies.put("content of the file");
  const Value parts(ValueList{map({{"name", "no\"te"}, {"text", "hello"}}),
                              map({{"name", "file"}, {"body", Value(file)}, {"filename", "a\r\nb.csv"}})});
  const auto echoed = world.echoed(args({{"method", "POST"}, {"parts", parts}}));
  const auto type = header(echoed, "content-type");
  REQUIRE(type.starts_with("multipart/form-data; boundary="));
  const auto line = "--" + type.substr(30);
  CHECK(text(echoed, "body") ==
        line + "\r\nContent-Disposition: form-data; name=\"no%22te\"\r\n\r\nhello\r\n" + line +
            "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a%0D%0Ab.csv\"\r\nContent-Type: "
            "application/octet-stream\r\n\r\ncontent of the file\r\n" +
            line + "--\r\n");
}

TEST_CASE("a value in the path stays one segment, whatever is in it", "[http][injection]") {
  HttpWorld world("url: \"" + scripted().url() + "/api\"");
  const auto path_of = [&](const Value& id) {
    const auto output =
        world.request(args({{"path", "orders/{id}/echo"}, {"params", map({{"id", id}})}, {"read_json", true}}));
    return output ? text(*output->find("json"), "path") : classes_of(output);
  };
  CHECK(path_of("a b?c=d#e&f;g%2e") == "/api/orders/a%20b%3Fc%3Dd%23e%26f%3Bg%252e/echo");
  CHECK(path_of("ü") == "/api/orders/%C3%BC/echo");
  CHECK(path_of(17) == "/api/orders/17/echo");
  for (const char* bad : {"..", ".", "", "a/b", "../../x", "a\\b", "a\r\nHost: x", "a\tb"}) {
    INFO(bad);
    CHECK(path_of(bad) == "invalid");
  }
  CHECK(path_of(Value(ValueList{"a"})) == "invalid");
  for (const char* bad :
       {"../echo", "a/./echo", "a//echo", "a%2fb/echo", "{", "{id}", "a b", "?x", "x#y", "/../echo"}) {
    INFO(bad);
    CHECK(classes_of(world.request(args({{"path", bad}}))) == "invalid");
  }
  CHECK(classes_of(world.request(args({{"path", "echo"}, {"params", map({{"id", 1}})}}))) == "invalid");
}

TEST_CASE("a value in the query stays a value", "[http][injection]") {
  HttpWorld world;
  const auto echoed =
      world.echoed(args({{"query", map({{"q", "a&b=c d#e\r\n"}, {"l", Value(ValueList{1, true})}, {"n", Value()}})}}));
  CHECK(text(echoed, "path") == "/api/echo?l=1&l=true&q=a%26b%3Dc%20d%23e%0D%0A");
}

TEST_CASE("a step's headers carry no line break and nothing of the transport or the login", "[http][injection]") {
  test::TempDir dir;
  HttpWorld world(
      fmt::format("url: \"{}/api\", headers: [{{name: X-Api-Key, value_file: \"{}\"}}, {{name: X-Tenant, text: acme}}]",
                  scripted().url(), test::secret_file(dir, "key", "k3y-of-the-test\n")));
  const auto with = [&](const char* name, const Value& value) {
    return world.request(args({{"path", "echo"}, {"headers", map({{name, value}})}, {"read_json", true}}));
  };
  const auto echoed = *with("X-Mine", "a, b")->find("json");
  CHECK(header(echoed, "x-mine") == "a, b");
  CHECK(header(echoed, "x-api-key") == "k3y-of-the-test");
  CHECK(header(echoed, "x-tenant") == "acme");
  CHECK(header(*with("X-Empty", "")->find("json"), "x-empty").empty());
  for (const char* bad : {"a\r\nX-Injected: 1", "a\nb", "a\rb", "\x01"})
    CHECK(classes_of(with("X-Mine", bad)) == "invalid");
  for (const char* bad : {"Authorization", "host", "Content-Length", "Transfer-Encoding", "Connection", "x-api-key",
                          "X-TENANT", "Cookie", "Idempotency-Key", "a b", "a:b", "", "a\r\nb"}) {
    INFO(bad);
    CHECK(classes_of(with(bad, "x")) == "invalid");
  }
}

TEST_CASE("a status that was not expected is an error with its own class", "[http][errors]") {
  HttpWorld world;
  const auto classes = [&](int code) { return classes_of(world.get(fmt::format("status?code={}", code))); };
  CHECK(classes(204).empty());
  CHECK(classes(301) == "status:301 invalid");
  CHECK(classes(400) == "status:400 invalid");
  CHECK(classes(401) == "status:401 permission");
  CHECK(classes(403) == "status:403 permission");
  CHECK(classes(404) == "status:404 not_found");
  CHECK(classes(409) == "status:409 changed");
  CHECK(classes(413) == "status:413 too_large");
  CHECK(classes(429) == "status:429 connection");
  CHECK(classes(500) == "status:500 connection");
  CHECK(classes(503) == "status:503 connection");
  CHECK(classes(504) == "status:504 timeout");
  const auto busy = world.get("status?code=503&retry=7");
  REQUIRE_FALSE(busy);
  CHECK(busy.error().message == "the server answered with status 503");
  CHECK(*busy.error().output.find("status") == Value(503));
  CHECK(*busy.error().output.find("retry_after") == Value(7));
  CHECK(*busy.error().output.find("text") == Value("the server says why"));
  const auto expected = world.request(
      args({{"path", "status"}, {"query", map({{"code", 404}})}, {"expect", Value(ValueList{200, 404})}}));
  REQUIRE(expected);
  CHECK(*expected->find("status") == Value(404));
}

TEST_CASE("the policy says which methods and paths", "[http][policy]") {
  HttpWorld world("url: \"" + scripted().url() + "/api\"",
                  "{allow: [{methods: [GET], paths: [\"/api/orders/*\"]}, {methods: [POST], paths: [\"/api/echo\"]}], "
                  "clear_text: true, addresses: [loopback]}");
  const auto refused = world.get("echo");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().classes == std::vector<std::string>{"policy"});
  CHECK(refused.error().rule == "policy.yaml:3 connections.api.http.allow[1]");
  CHECK(classes_of(world.get("other")) == "policy");
  CHECK(classes_of(world.request(args({{"method", "DELETE"}, {"path", "echo"}}))) == "policy");
  CHECK(scripted().requests().empty());
  CHECK(classes_of(world.request(args({{"method", "POST"}, {"path", "echo"}}))).empty());
  CHECK(classes_of(world.get("orders/echo")).empty());
  CHECK(scripted().requests().size() == 2);
}

TEST_CASE("nothing is allowed that the policy does not say", "[http][policy]") {
  const auto url = "url: \"" + scripted().url() + "\"";
  const std::string allow = "allow: [{methods: [GET], paths: [\"/**\"]}]";
  const auto rule_of = [&](const std::string& rules) {
    HttpWorld world(url, rules);
    const auto output = world.get("echo");
    return output ? "allowed" : classes_of(output) + " " + output.error().rule;
  };
  CHECK(rule_of("{" + allow + ", addresses: [loopback]}") == "policy policy.yaml:3 connections.api.http.clear_text");
  CHECK(rule_of("{" + allow + ", clear_text: true}") == "policy policy.yaml:3 connections.api.http.addresses");
  CHECK(rule_of("{" + allow + ", clear_text: true, addresses: [public, private, link_local, metadata]}") ==
        "policy policy.yaml:3 connections.api.http.addresses");
  CHECK(rule_of("{allow: [], clear_text: true, addresses: [loopback]}") ==
        "policy policy.yaml:3 connections.api.http.allow");
  CHECK(scripted().requests().empty());
  CHECK(rule_of("{" + allow + ", clear_text: true, addresses: [loopback]}") == "allowed");
}

TEST_CASE("a name is judged by the addresses that it leads to", "[http][policy][ssrf]") {
  const auto port = scripted().url().substr(scripted().url().rfind(':'));
  const std::string rules = "{{allow: [{{methods: [GET], paths: [\"/**\"]}}], clear_text: true, addresses: [{}]}}";
  HttpWorld outside("url: \"http://localhost" + port + "\"", fmt::format(fmt::runtime(rules), "public, private"));
  CHECK(classes_of(outside.get("echo")) == "policy");
  CHECK(scripted().requests().empty());
  HttpWorld inside("url: \"http://localhost" + port + "\"", fmt::format(fmt::runtime(rules), "loopback"));
  CHECK(classes_of(inside.get("echo")).empty());
  for (const char* host : {"[::ffff:127.0.0.1]", "[::ffff:7f00:1]"}) {
    HttpWorld mapped(fmt::format("url: \"http://{}{}\"", host, port),
                     fmt::format(fmt::runtime(rules), "public, private"));
    CHECK(classes_of(mapped.get("echo")) == "policy");
  }
  HttpWorld metadata("url: \"http://169.254.169.254\"",
                     fmt::format(fmt::runtime(rules), "public, private, link_local, loopback"));
  CHECK(classes_of(metadata.get("latest")) == "policy");
}

TEST_CASE("redirects are followed at the same origin only, and where the policy says so", "[http][ssrf]") {
  const auto base = scripted().url();
  const std::string rules =
      "{allow: [{methods: [GET, POST], paths: [\"/api/**\"]}], clear_text: true, addresses: [loopback], redirects: "
      "same_origin}";
  HttpWorld none;
  CHECK(classes_of(none.get("redirect?to=echo")) == "status:302 invalid");
  HttpWorld world("url: \"" + base + "/api\", auth: {type: bearer, token_env: PATH}", rules);
  const auto to = [&](const std::string& where) {
    return world.request(args({{"path", "redirect"}, {"query", map({{"to", Value(where)}})}, {"read_json", true}}));
  };
  const auto followed = to("echo?x=1");
  REQUIRE(followed);
  CHECK(text(*followed->find("json"), "path") == "/api/echo?x=1");
  CHECK(classes_of(to(base + "/api/echo")).empty());
  const auto count = scripted().requests().size();
  for (const std::string& bad :
       {std::string("http://169.254.169.254/latest/"),
        std::string("http://localhost") + base.substr(base.rfind(':')) + "/api/echo",
        "https" + base.substr(4) + "/api/echo", std::string("file:///etc/passwd"),
        std::string("//127.0.0.1:1/api/echo"), "http://user@" + base.substr(7) + "/api/echo",
        std::string("gopher://127.0.0.1/"), std::string("/api/a%2f..%2fecho"), std::string("/api/%2e%2e/secret")}) {
    INFO(bad);
    CHECK(classes_of(to(bad)) == "invalid");
  }
  CHECK(classes_of(to("/other/echo")) == "policy");
  CHECK(classes_of(to("/api/../other/echo")) == "policy");
  CHECK(scripted().requests().size() == count + 11);  // none but the redirects themselves
  CHECK(classes_of(world.get("loop")) == "invalid");
  const auto posted = world.request(args({{"method", "POST"}, {"path", "redirect"}, {"query", map({{"to", "echo"}})}}));
  CHECK(classes_of(posted) == "status:302 invalid");
}

TEST_CASE("what a step gives wrong is refused before anything is sent", "[http]") {
  HttpWorld world;
  const auto classes = [&](ValueMap arguments) {
    arguments.emplace(Value("path"), Value("echo"));
    return classes_of(world.request(std::move(arguments)));
  };
  CHECK(classes(args({{"method", "POST"}, {"json", 1}, {"text", "x"}})) == "invalid");
  CHECK(classes(args({{"json", 1}})) == "invalid");
  CHECK(classes(args({{"method", "POST"}, {"text", "x"}, {"content_type", "a\r\nb: c"}})) == "invalid");
  CHECK(classes(args({{"method", "POST"}, {"json", Value(world.agent->bodies.put("x"))}})) == "invalid");
  CHECK(classes(args({{"method", "POST"}, {"form", map({{"a", Value(ValueMap{})}})}})) == "invalid");
  CHECK(classes(args({{"expect", Value(ValueList{99})}})) == "invalid");
  CHECK(classes(args({{"method", "POST"}, {"body", Value(Handle{"file", {}})}})) == "invalid");
  CHECK(classes_of(world.agent->run(world.action("http.request@1"), args({{"path", "echo"}}), "files")) == "invalid");
  CHECK(scripted().requests().empty());
}

TEST_CASE("steps share a connection's places", "[http]") {
  HttpWorld world("url: \"" + scripted().url() + "\", concurrency: 1");
  world.agent->patience = 20s;
  std::stop_source stop;
  const connectors::StepContext context{
      world.agent->job, "a", 1, "key-a", "api", world.agent->deadline(), stop.get_token(), world.agent->bodies};
  std::string hung;
  std::jthread other([&] {
    const auto output = world.action("http.request@1").run(context, Value(args({{"path", "hang"}, {"method", "GET"}})));
    hung = output ? "answered" : output.error().error_class();
  });
  while (scripted().requests().empty()) std::this_thread::yield();
  world.agent->patience = 100ms;
  CHECK(classes_of(world.get("echo")) == "timeout");  // no place
  stop.request_stop();
  other.join();
  CHECK(hung == "cancelled");
  world.agent->patience = 20s;
  CHECK(classes_of(world.get("echo")).empty());
}

TEST_CASE("two steps ask at the same time", "[http]") {
  HttpWorld world;
  const auto ask = [&](std::string& into) {
    const std::stop_source stop;
    const connectors::StepContext context{
        world.agent->job, "a", 1, "key", "api", world.agent->deadline(), stop.get_token(), world.agent->bodies};
    for (int i = 0; i < 20; ++i) {
      const auto output = world.action("http.request@1")
                              .run(context, Value(args({{"path", "status"}, {"query", map({{"code", 404}})}})));
      into += output ? "answered" : "";
    }
  };
  std::string first, second;
  {
    const std::jthread one(ask, std::ref(first)), two(ask, std::ref(second));
  }
  CHECK((first + second).empty());
  CHECK(scripted().requests().size() == 40);
}
