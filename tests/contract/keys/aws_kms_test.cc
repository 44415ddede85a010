#include "shared/crypto/random.h"
#include "tests/contract/keys/aws_place.h"
#include "tests/support/async_test.h"
#include "tests/support/pki.h"

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

boost::asio::awaitable<Result<Bytes>> wrap_with(keys::AwsKmsConfig config, const Clock& clock) {
  const auto provider = must(keys::make_aws_kms(std::move(config), clock));
  co_return co_await provider->wrap("a purpose", crypto::random_secret(32));
}

// What a call is answered with while the server does what `control` says.
boost::asio::awaitable<Error> error_while(AwsPlace& place, std::string control) {
  place.server.control(control);
  auto wrapped = co_await wrap_with(place.config(), place.clock);
  place.server.heal();
  if (wrapped) throw std::runtime_error("no error while " + control);
  co_return wrapped.error();
}

bool says(const Error& error, std::string_view text) { return error.message.find(text) != std::string::npos; }

outbound::AwsCredentials lasting() { return {"AKIATESTONLY", Secret::take("secret-access-key-of-the-test"), {}}; }

outbound::AwsCredentialSource with(const keys::AwsKmsConfig& config, void (*change)(outbound::AwsCredentials&)) {
  auto credentials = must(config.credentials());
  change(credentials);
  return outbound::always(std::move(credentials));
}

}  // namespace

ASYNC_TEST_CASE("AWS KMS: lasting credentials sign without a token", "[keys][aws]") {
  AwsPlace place;
  auto config = place.config();
  config.credentials = outbound::always(lasting());
  const auto wrapped = co_await wrap_with(std::move(config), place.clock);
  CHECK(wrapped);
}

ASYNC_TEST_CASE("AWS KMS: a request that is signed with something else gets nowhere", "[keys][aws]") {
  AwsPlace place;
  struct Wrong {
    const char* what;
    void (*change)(keys::AwsKmsConfig&);
    const char* told;
  };
  const Wrong wrong[] = {
      {"secret",
       [](auto& c) { c.credentials = with(c, [](auto& one) { one.secret_access_key = Secret::take("another"); }); },
       "secret access key"},
      {"region", [](auto& c) { c.region = "eu-central-2"; }, "signature"},
      {"token",
       [](auto& c) { c.credentials = with(c, [](auto& one) { one.session_token = Secret::take("another"); }); },
       "temporary ones may have expired"},
      {"no token", [](auto& c) { c.credentials = with(c, [](auto& one) { one.session_token = {}; }); }, "credentials"},
      {"access key", [](auto& c) { c.credentials = with(c, [](auto& one) { one.access_key_id = "AKIANOBODY"; }); },
       "credentials"},
  };
  for (const auto& [what, change, told] : wrong) {
    INFO(what);
    auto config = place.config();
    change(config);
    const auto wrapped = co_await wrap_with(std::move(config), place.clock);
    REQUIRE(!wrapped);
    CHECK(wrapped.error().code == Errc::forbidden);
    CHECK(says(wrapped.error(), told));
    CHECK(!says(wrapped.error(), "Canonical String"));  // AWS quotes what was signed, the session token among it
  }
  const auto control = co_await wrap_with(place.config(), place.clock);
  CHECK(control);
}

ASYNC_TEST_CASE("AWS KMS: new credentials count at the next call", "[keys][aws]") {
  AwsPlace place;
  auto config = place.config();
  auto given = std::make_shared<Result<outbound::AwsCredentials>>(must(config.credentials()));
  config.credentials = [given]() -> Result<outbound::AwsCredentials> {
    if (!*given) return std::unexpected(given->error());
    return (*given)->duplicate();
  };
  const auto provider = must(keys::make_aws_kms(std::move(config), place.clock));
  const auto wrap = [&] { return provider->wrap("a purpose", crypto::random_secret(32)); };
  auto wrapped = co_await wrap();
  CHECK(wrapped);
  (*given)->session_token = Secret::take("expired");
  wrapped = co_await wrap();
  REQUIRE(!wrapped);
  CHECK(wrapped.error().code == Errc::forbidden);  // control: it is looked at
  *given = lasting();
  wrapped = co_await wrap();
  CHECK(wrapped);
  *given = fail(Errc::not_found, "the file is not there");
  wrapped = co_await wrap();
  REQUIRE(!wrapped);
  CHECK(wrapped.error().code == Errc::unavailable);  // and not as if the key were gone
  *given = outbound::AwsCredentials{"A", Secret::take("a\r\nx-evil: b"), {}};
  wrapped = co_await wrap();
  REQUIRE(!wrapped);
  CHECK(wrapped.error().code == Errc::unavailable);
  CHECK(!says(wrapped.error(), "evil"));
}

ASYNC_TEST_CASE("AWS KMS: a clock that is wrong is told", "[keys][aws]") {
  AwsPlace place;
  for (const auto off : {-6min, 6min}) {
    MovableClock clock;
    clock.advance(off);
    const auto wrapped = co_await wrap_with(place.config(), clock);
    REQUIRE(!wrapped);
    CHECK(wrapped.error().code == Errc::forbidden);
    CHECK(says(wrapped.error(), "clock"));
  }
  MovableClock nearly;
  nearly.advance(4min);
  const auto control = co_await wrap_with(place.config(), nearly);
  CHECK(control);
}

ASYNC_TEST_CASE("AWS KMS: each of its errors says what it means here", "[keys][aws]") {
  AwsPlace place;
  struct Case {
    const char* control;
    Errc code;
    const char* told;
  };
  const Case cases[] = {
      {R"({"mode":"disabled"})", Errc::forbidden, "DisabledException"},
      {R"({"mode":"deleting"})", Errc::forbidden, "about to be deleted"},
      {R"({"mode":"denied"})", Errc::forbidden, "not authorized to perform kms:Decrypt"},
      {R"({"mode":"throttled"})", Errc::unavailable, "too many calls"},
      {R"({"mode":"fail","status":500,"body":"{\"__type\":\"KMSInternalException\"}"})", Errc::unavailable, "500"},
      {R"({"mode":"fail","status":503,"body":""})", Errc::unavailable, "503"},
      {R"({"mode":"fail","status":400,"body":"{\"__type\":\"Unheard\\u001b[31mOf\"}"})", Errc::unavailable,
       "Unheard?[31mOf"},
      {R"({"mode":"fail","status":403,"body":"no"})", Errc::forbidden, "403"},
      {R"({"mode":"fail","status":200,"body":"{\"CiphertextBlob\":\"\"}"})", Errc::unavailable, "CiphertextBlob"},
      {R"({"mode":"fail","status":200,"body":"[1]"})", Errc::unavailable, "no object"},
      {R"({"mode":"deep"})", Errc::unavailable, "nested deeper"},
      {R"({"mode":"endless"})", Errc::unavailable, "more than 65536 bytes"},
      {R"({"mode":"drop"})", Errc::unavailable, ""},
  };
  for (const auto& [control, code, told] : cases) {
    INFO(control);
    const auto error = co_await error_while(place, control);
    INFO(error.message);
    CHECK(error.code == code);
    CHECK(says(error, told));
    CHECK(error.message.starts_with("AWS KMS key alias/main at https://127.0.0.1:"));
  }
  const auto missing = co_await wrap_with(place.config("nobody"), place.clock);
  REQUIRE(!missing);
  CHECK(missing.error().code == Errc::not_found);
}

ASYNC_TEST_CASE("AWS KMS: no redirect is followed", "[keys][aws]") {
  AwsPlace place, other;
  for (const auto& to : {other.server.url(), "http" + other.server.url().substr(5)}) {
    const auto error = co_await error_while(place, R"({"mode":"redirect","to":")" + to + R"("})");
    CHECK(error.code == Errc::unavailable);
    CHECK(says(error, "307"));
  }
}

ASYNC_TEST_CASE("AWS KMS: a server whose certificate is not trusted learns nothing", "[keys][aws]") {
  AwsPlace place, other;
  for (const auto& ca_file : {std::string(), other.server.ca_file()}) {
    auto config = place.config();
    config.ca_file = ca_file;
    const auto wrapped = co_await wrap_with(std::move(config), place.clock);
    REQUIRE(!wrapped);
    CHECK(wrapped.error().code == Errc::unavailable);
    CHECK(says(wrapped.error(), "certificate authorities"));
  }
}

TEST_CASE("AWS KMS: a configuration that cannot work is refused with its reason", "[keys][aws]") {
  AwsPlace place;
  struct Case {
    const char* told;
    void (*change)(keys::AwsKmsConfig&);
  };
  const Case cases[] = {
      {"the region of AWS KMS", [](auto& c) { c.region = ""; }},
      {"the region of AWS KMS", [](auto& c) { c.region = "eu.evil.example/"; }},
      {"the key of AWS KMS", [](auto& c) { c.key = ""; }},
      {"the key of AWS KMS", [](auto& c) { c.key = "a\"b"; }},
      {"the access key id", [](auto& c) { c.credentials = with(c, [](auto& one) { one.access_key_id = "A/B"; }); }},
      {"the secret access key",
       [](auto& c) { c.credentials = with(c, [](auto& one) { one.secret_access_key = {}; }); }},
      {"the session token",
       [](auto& c) { c.credentials = with(c, [](auto& one) { one.session_token = Secret::take("a\r\nx-evil: b"); }); }},
      {"https://host", [](auto& c) { c.endpoint = "http://127.0.0.1:80"; }},
      {"https://host", [](auto& c) { c.endpoint = "https://127.0.0.1:0"; }},
      {"https://host", [](auto& c) { c.endpoint = "https://127.0.0.1:65536"; }},
      {"the endpoint of AWS KMS", [](auto& c) { c.endpoint = "https://user@127.0.0.1"; }},
      {"the endpoint of AWS KMS", [](auto& c) { c.endpoint = "https://127.0.0.1/path"; }},
      {"the endpoint of AWS KMS", [](auto& c) { c.endpoint = "https://"; }},
      {"certificate authorities", [](auto& c) { c.ca_file = "/nonexistent/ca.pem"; }},
      {"the deadline", [](auto& c) { c.deadline = 0ms; }},
      {"the deadline", [](auto& c) { c.deadline = 10'001ms; }},
  };
  for (const auto& [told, change] : cases) {
    auto config = place.config();
    change(config);
    const auto refused = keys::make_aws_kms(std::move(config), place.clock);
    REQUIRE(!refused);
    CHECK(refused.error().code == Errc::invalid);
    INFO(refused.error().message);
    CHECK(says(refused.error(), told));
    CHECK(!says(refused.error(), "evil"));
  }
}

TEST_CASE("AWS KMS: who it is, and where it is unless that is said", "[keys][aws]") {
  AwsPlace place;
  for (const auto& [region, endpoint] : {std::pair("eu-central-1", "https://kms.eu-central-1.amazonaws.com"),
                                         std::pair("cn-north-1", "https://kms.cn-north-1.amazonaws.com.cn")}) {
    auto config = place.config();
    config.region = region;
    config.endpoint = "";
    const auto provider = must(keys::make_aws_kms(std::move(config), place.clock));
    CHECK(provider->describe() == std::string("AWS KMS key alias/main at ") + endpoint);
  }
  for (const char* endpoint : {"https://[::1]:8443", "https://vpce-1.kms.eu-central-1.vpce.amazonaws.com"}) {
    auto config = place.config();
    config.endpoint = endpoint;
    const auto provider = keys::make_aws_kms(std::move(config), place.clock);
    CHECK(provider);
  }
}
