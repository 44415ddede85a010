// http.listen@1 with curl as the sender.
#include "shared/base/json.h"
#include "tests/contract/connectors/listen/listening.h"
#include "tests/support/async_test.h"
#include "tests/support/free_port.h"
#include "tests/support/pki.h"
#include "tests/support/server_process.h"
#include "tests/support/told_certificate.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <boost/asio/ip/tcp.hpp>

using namespace sallyport;
using test::args;
using test::Listening;
using test::signature_of;
namespace asio = boost::asio;

namespace {

const std::string kBearer =
    "security: none, max_body: 4KiB, senders: [{path: /a, proof: bearer, secret_file: \"@SECRET@\", other_secret_file: "
    "\"@OTHER@\", content_types: [application/json]}, {path: /b, proof: bearer, secret_file: \"@SECRET@\"}]";
const std::string kRules = "{path: /a, methods: [POST, PUT]}, {path: /b}";
const std::string kKnown =
    fmt::format("-H 'Authorization: Bearer {}' -H 'Content-Type: application/json' ", test::kSecret);
const std::string kSigned =
    "security: none, senders: [{path: /github, proof: signature, secret_file: \"@SECRET@\", delivery_header: "
    "X-GitHub-Delivery, headers: [X-GitHub-Event]}]";

std::string github(std::string_view body, std::string_view delivery) {
  return fmt::format(
      "-H 'X-Hub-Signature-256: sha256={}' -H 'X-GitHub-Delivery: {}' -H 'X-GitHub-Event: push' -H 'Content-Type: "
      "application/json' --data-raw '{}'",
      signature_of(body), delivery, body);
}

std::string event_of(const test::Answer& answer) { return parse_json(answer.body())->find("event")->as_string(); }

}  // namespace

ASYNC_TEST_CASE("a signed request is an event with all that it came with", "[listen]") {
  Listening hooks(co_await asio::this_coro::executor, kSigned, "{path: /github}");
  hooks.start("deploy", args({{"path", "/github"}}));
  co_await hooks.until_open();
  const auto answer = co_await hooks.curl(github(R"({"ref":"main"})", "d-1"), "/github?a=1&b=%C3%BC");
  CHECK(answer.status == 202);
  REQUIRE(hooks.events.size() == 1);
  const auto& event = hooks.events.front();
  CHECK(event.comes_once);
  CHECK(to_json(event.data) ==
        R"({"base64":null,"body":"{\"ref\":\"main\"}","content_type":"application/json","headers":{"x-github-event":)"
        R"("push"},"id":")" +
            event_of(answer) +
            R"(","json":{"ref":"main"},"method":"POST","path":"/github","query":{"a":"1","b":"ü"}})");
  co_await hooks.stop_all();
  CHECK(hooks.ended->has_value());
  CHECK_FALSE(test::takes_connections(hooks.port()));
}

ASYNC_TEST_CASE("a delivery that comes again has the same key and the same id", "[listen]") {
  Listening hooks(co_await asio::this_coro::executor, kSigned, "{path: /github}");
  hooks.start("deploy", args({{"path", "/github"}}));
  co_await hooks.until_open();
  const auto first = co_await hooks.curl(github("{}", "d-1"), "/github");
  const auto again = co_await hooks.curl(github("{}", "d-1"), "/github");
  const auto other = co_await hooks.curl(github("{}", "d-2"), "/github");
  const auto changed = co_await hooks.curl(github("[]", "d-1"), "/github");
  REQUIRE(hooks.events.size() == 4);
  CHECK(hooks.events[1].natural_key == hooks.events[0].natural_key);
  CHECK(event_of(again) == event_of(first));
  CHECK(hooks.events[2].natural_key != hooks.events[0].natural_key);
  CHECK(event_of(other) != event_of(first));
  CHECK(hooks.events[3].natural_key != hooks.events[0].natural_key);  // what was sent under a known id is not lost
  const auto unnamed = co_await hooks.curl(
      fmt::format("-H 'X-Hub-Signature-256: sha256={}' --data-raw x", signature_of("x")), "/github");
  CHECK(unnamed.status == 400);
  CHECK(hooks.events.size() == 4);
  co_await hooks.stop_all();
}

ASYNC_TEST_CASE("a request is answered when its job is kept, not before", "[listen]") {
  const auto executor = co_await asio::this_coro::executor;
  Listening hooks(executor, kBearer, kRules);
  hooks.start("r", args({{"path", "/a"}}));
  co_await hooks.until_open();
  hooks.gate = std::make_shared<Event>(executor);
  std::optional<test::Answer> answer;
  TaskGroup senders(executor, [](auto&, auto) { FAIL("no task throws"); });
  const auto send = [&]() -> asio::awaitable<void> { answer = co_await hooks.curl(kKnown + "-d {}", "/a"); };
  senders.spawn("sender", send());
  co_await hooks.until([&] { return hooks.events.size() == 1; });
  CHECK_FALSE(answer);
  hooks.gate->set();
  co_await senders.join();
  CHECK(answer->status == 202);
  co_await hooks.stop_all();
}

ASYNC_TEST_CASE("what starts no job is answered with the reason, and is no event", "[listen]") {
  Listening hooks(co_await asio::this_coro::executor, kBearer, kRules);
  hooks.start("r", args({{"path", "/a"}}));
  co_await hooks.until_open();
  co_await hooks.expect(404, kKnown + "-d {}", "/nothing");
  co_await hooks.expect(400, kKnown + "-d {}", "/a/");
  const auto method = co_await hooks.curl(kKnown + "-X PUT -d {}", "/a");
  CHECK(method.status == 405);
  CHECK(method.header("Allow") == "POST");
  co_await hooks.expect(400, kKnown + "-H 'Content-Type: text/xml' -d x", "/a");  // two of them
  co_await hooks.expect(
      415, fmt::format("-H 'Authorization: Bearer {}' -H 'Content-Type: text/xml' -d x", test::kSecret), "/a");
  co_await hooks.expect(413, kKnown + "-d " + std::string(5'000, 'x'), "/a");
  co_await hooks.expect(400, kKnown + "-d {}", "/a?x=1&x=2");
  const auto nobody = co_await hooks.curl(kKnown + "-d {}", "/b");
  CHECK(nobody.status == 503);
  CHECK(nobody.header("Retry-After") == "60");
  hooks.failure = "disk_full";
  const auto full = co_await hooks.curl(kKnown + "-d {}", "/a");
  CHECK(full.status == 503);
  CHECK(full.header("Retry-After") == "10");
  CHECK(full.header("Content-Type") == "application/problem+json");
  hooks.failure = "cancelled";  // the agent is stopping
  co_await hooks.expect(503, kKnown + "-d {}", "/a");
  hooks.failure = "invalid";
  co_await hooks.expect(422, kKnown + "-d {}", "/a");
  CHECK(hooks.events.empty());
  hooks.failure.clear();
  co_await hooks.expect(202, kKnown + "-d {}", "/a");
  CHECK(hooks.events.size() == 1);
  co_await hooks.stop_all();
}

ASYNC_TEST_CASE("who cannot prove who they are get nothing, and no secret is logged", "[listen][security]") {
  Listening hooks(co_await asio::this_coro::executor, kBearer, kRules);
  hooks.start("r", args({{"path", "/a"}}));
  co_await hooks.until_open();
  const auto none = co_await hooks.curl("-d {}", "/a");
  CHECK(none.status == 401);
  CHECK(none.header("WWW-Authenticate") == "Bearer");
  co_await hooks.expect(401, "-H 'Authorization: Bearer guessed-s3cret' -d {}", "/a");
  co_await hooks.expect(401, "-H 'Authorization: Basic YTpi' -d {}", "/a");
  CHECK(hooks.events.empty());
  co_await hooks.expect(202, kKnown + "-d {}", "/a");
  co_await hooks.expect(202,
                        "-H 'Authorization: Bearer another secret of theirs' -H 'Content-Type: "
                        "application/json' -d {}",
                        "/a");  // while it is being replaced
  const auto log = hooks.agent->logged();
  CHECK(log.contains("request.refused"));
  for (const auto* secret : {"guessed-s3cret", "a secret of the senders", "another secret of theirs"})
    CHECK_FALSE(log.contains(secret));
  co_await hooks.stop_all();
}

ASYNC_TEST_CASE("a source that sends too often waits", "[listen]") {
  Listening hooks(co_await asio::this_coro::executor, "rate: 2, " + kBearer, kRules);
  hooks.start("r", args({{"path", "/a"}}));
  co_await hooks.until_open();
  co_await hooks.expect(202, kKnown + "-d {}", "/a");
  co_await hooks.expect(202, kKnown + "-d {}", "/a");
  const auto more = co_await hooks.curl(kKnown + "-d {}", "/a");
  CHECK(more.status == 429);
  CHECK_FALSE(more.header("Retry-After").empty());
  CHECK(hooks.events.size() == 2);
  co_await hooks.stop_all();
}

ASYNC_TEST_CASE("nothing listens that the policy does not allow", "[listen][policy]") {
  const auto executor = co_await asio::this_coro::executor;
  for (const auto* rules : {"", "{path: /b}", "{path: /a, methods: [PUT]}", "{path: /a, recipes: [other]}"}) {
    INFO(rules);
    Listening hooks(executor, kBearer, rules);
    hooks.start("r", args({{"path", "/a"}}));
    co_await hooks.until([&] { return hooks.ended.has_value(); });
    REQUIRE_FALSE(*hooks.ended);
    CHECK(hooks.ended->error().error_class() == "policy");
    CHECK(hooks.ended->error().rule.contains("connections.hooks.listen"));
    CHECK_FALSE(test::takes_connections(hooks.port()));
    co_await hooks.stop_all();
  }
  Listening allowed(executor, kBearer, "{path: /a, recipes: [r]}");
  allowed.start("r", args({{"path", "/a"}}));
  co_await allowed.until_open();
  co_await allowed.stop_all();
}

ASYNC_TEST_CASE("recipes share a port, each with paths of its own", "[listen]") {
  Listening hooks(co_await asio::this_coro::executor, kBearer, kRules);
  const auto one = hooks.start("one", args({{"path", "/a"}}));
  const auto two = hooks.start("two", args({{"path", "/b"}}));
  co_await hooks.until_open();
  hooks.start("three", args({{"path", "/a"}}));
  co_await hooks.until([&] { return hooks.ended.has_value(); });
  REQUIRE_FALSE(*hooks.ended);
  CHECK(hooks.ended->error().error_class() == "invalid");
  hooks.start("four", args({{"path", "/a"}, {"method", "PUT"}}));
  co_await hooks.expect(202, kKnown + "-d {}", "/a");
  co_await hooks.expect(202, kKnown + "-d {}", "/b");
  co_await hooks.expect(202, kKnown + "-X PUT -d {}", "/a");
  CHECK(hooks.recipes == std::vector<std::string>{"one", "two", "four"});
  co_await hooks.stop(one);
  co_await hooks.expect(405, kKnown + "-d {}", "/a");
  co_await hooks.expect(202, kKnown + "-d {}", "/b");
  co_await hooks.stop(two);
  co_await hooks.expect(503, kKnown + "-d {}", "/b");
  co_await hooks.stop_all();
  CHECK_FALSE(test::takes_connections(hooks.port()));
  hooks.start("one", args({{"path", "/a"}}));  // as a new version of a recipe
  co_await hooks.until_open();
  co_await hooks.expect(202, kKnown + "-d {}", "/a");
  co_await hooks.stop_all();
}

ASYNC_TEST_CASE("a port that is taken is waited for", "[listen]") {
  const auto executor = co_await asio::this_coro::executor;
  Listening hooks(executor, kBearer, kRules);
  std::optional<asio::ip::tcp::acceptor> other;
  other.emplace(executor, asio::ip::tcp::endpoint(asio::ip::make_address("127.0.0.1"), hooks.port()));
  hooks.start("r", args({{"path", "/a"}}));
  co_await hooks.until([&] { return hooks.told("listening on hooks"); });
  CHECK_FALSE(hooks.told(std::to_string(hooks.port())));  // settings stay on this machine
  other.reset();
  co_await hooks.until([&] { return hooks.troubles.back().empty(); });
  co_await hooks.expect(202, kKnown + "-d {}", "/a");
  co_await hooks.stop_all();
}

ASYNC_TEST_CASE("a listener has a certificate, and may ask for one", "[listen][tls]") {
  const SystemClock clock;
  const test::Pki pki(clock), others(clock);
  test::TempDir files;
  const auto root = files.write("root.pem", pki.root.certificate.pem());
  const auto certificate = files.write("server.pem", pki.server.certificate.pem());
  const auto key = files.write("server.key", pki.server.key.to_pem().reveal());
  ::chmod(key.c_str(), 0600);
  const auto client_files = [&](const test::Pki& from, const std::string& name) {
    const auto client = from.agent();
    return fmt::format("--cert {} --key {} ", files.write(name + ".pem", client.chain[0].pem() + client.chain[1].pem()),
                       files.write(name + ".key", client.key.to_pem().reveal()));
  };
  Listening hooks(co_await asio::this_coro::executor,
                  fmt::format("certificate_file: {}, key_file: {}, client_ca_file: {}, senders: [{{path: /a, proof: "
                              "certificate}}]",
                              certificate, key, root),
                  "{path: /a}");
  hooks.start("r", args({{"path", "/a"}}));
  co_await hooks.until_open();
  const auto trust = "--cacert " + root + " -d {} ";
  co_await hooks.expect(202, trust + client_files(pki, "client"), "/a", "https");
  co_await hooks.expect(0, trust, "/a", "https");
  co_await hooks.expect(0, trust + client_files(others, "other"), "/a", "https");
  co_await hooks.expect(0, "-d {} " + client_files(pki, "distrustful"), "/a", "https");
  co_await hooks.expect(0, "-d {}", "/a", "http");
  CHECK(hooks.events.size() == 1);
  co_await hooks.stop_all();
}

TEST_CASE("the test of a listener's connection says what is wrong", "[listen][connection_test]") {
  test::TempDir files;
  const auto secret = files.write("secret", test::kSecret);
  const auto brief = files.write("brief", "hunter2");
  for (const auto& file : {secret, brief}) ::chmod(file.c_str(), 0600);
  const auto findings_of = [&](const std::string& settings, const std::string& file, const std::string& policy) {
    test::ConnectorSite agent(fmt::format("connections: {{hooks: {{kind: http-listen, port: {}, {}, senders: [{{path: "
                                          "/a, proof: bearer, secret_file: \"{}\"}}]}}}}",
                                          test::free_port(), settings, file),
                              policy);
    const auto site = agent.site();
    std::string text;
    const auto findings =
        connectors::listen::make_listen_test(site)->run(site.connections.at("hooks"), agent.deadline());
    if (findings.front().check == "tls" && findings.front().verdict == findings::Verdict::good)
      test::check_told(findings, files.path("server.pem"));
    for (const auto& one : findings) text += fmt::format("{}:{} ", one.check, to_string(one.verdict));
    return text;
  };
  const std::string nothing = "actions: []";
  const std::string allows = "actions: [http.listen@1]\nconnections: {hooks: {listen: [{path: /a}]}}";
  CHECK(findings_of("security: none", secret, allows) == "tcp:good login:good permission:good ");
  CHECK(findings_of("security: none", secret, nothing) == "tcp:good login:good permission:note ");
  CHECK(findings_of("security: none", brief, nothing) == "tcp:good login:bad permission:note ");
  CHECK(findings_of("security: none", files.path("none"), nothing) == "tcp:good login:bad permission:note ");
  CHECK(findings_of("certificate_file: /no/file, key_file: /no/key", secret, nothing) == "tls:bad ");
  const SystemClock clock;
  const test::Pki pki(clock);
  const auto certificate = files.write("server.pem", pki.server.certificate.pem());
  const auto key = files.write("server.key", pki.server.key.to_pem().reveal());
  ::chmod(key.c_str(), 0600);
  const auto shown = fmt::format("certificate_file: {}, key_file: {}", certificate, key);
  CHECK(findings_of(shown, secret, nothing) == "tls:good tcp:good login:good permission:note ");
  CHECK(findings_of(shown + ", address: 192.0.2.1", secret, nothing) == "tls:good tcp:bad ");
  CHECK(findings_of(shown + ", client_ca_file: " + key, secret, nothing) == "tls:bad ");
  ::chmod(key.c_str(), 0644);
  CHECK(findings_of(shown, secret, nothing) == "tls:bad ");
}
