// Who has sent a request: known answers, and all that is none.
#include "agent/connectors/listen/proof.h"
#include "shared/base/text.h"
#include "shared/crypto/digest.h"
#include "tests/contract/connectors/listen/listening.h"

#include <catch2/catch.hpp>

#include <fmt/format.h>

using namespace sallyport;
using namespace sallyport::connectors::listen;
using namespace std::chrono_literals;
using policy::ListenSender;
using policy::SenderProof;
using test::kSecret;
using test::signature_of;

namespace {

const WallTime kNow{std::chrono::seconds(1'614'265'330)};

struct Request {
  std::vector<std::pair<std::string, std::string>> fields;
  std::string body = "body";
};

std::string check(const ListenSender& sender, const Request& request,
                  std::vector<std::string> texts = {std::string(kSecret)}, WallTime now = kNow) {
  http::Headers headers;
  for (const auto& [name, value] : request.fields) headers.add(name, value);
  std::vector<Secret> secrets;
  for (auto& text : texts) secrets.push_back(Secret::take(text));
  const auto proven = check_proof(sender, secrets, headers, request.body, now);
  if (proven) return "proven";
  return std::vector<std::string>{"missing", "malformed", "wrong", "stale"}.at(
      static_cast<std::size_t>(proven.error()));
}

}  // namespace

TEST_CASE("a signature over the body is known, in GitHub's own example", "[listen][proof]") {
  const ListenSender sender{.proof = SenderProof::signature, .signature_header = "X-Hub-Signature-256"};
  const std::string digest = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
  const std::vector<std::string> secret{"It's a Secret to Everybody"};
  const auto with = [&](const std::string& value, const std::string& body = "Hello, World!") {
    return check(sender, {{{"x-hub-signature-256", value}}, body}, secret);
  };
  CHECK(with("sha256=" + digest) == "proven");
  CHECK(with(digest) == "proven");
  CHECK(with("sha256=" + digest, "Hello, World") == "wrong");
  CHECK(with("sha1=" + digest.substr(0, 40)) == "malformed");
  CHECK(with("sha256=" + digest.substr(2)) == "wrong");
  CHECK(with("sha256=") == "wrong");
  CHECK(with("") == "wrong");
  CHECK(with("sha256=zz") == "malformed");
  CHECK(check(sender, {{}, "Hello, World!"}, secret) == "missing");
  CHECK(check(sender, {{{"X-Hub-Signature-256", digest}, {"X-Hub-Signature-256", digest}}, "Hello, World!"}, secret) ==
        "missing");
  CHECK(check(sender, {{{"X-Hub-Signature-256", digest}}, "Hello, World!"}, {"other", secret.front()}) == "proven");
  CHECK(check(sender, {{{"X-Hub-Signature-256", digest}}, "Hello, World!"}, {}) == "wrong");
}

TEST_CASE("each part of a standard webhook is signed, and it has a time", "[listen][proof]") {
  const ListenSender sender{.proof = SenderProof::standard_webhooks, .tolerance = 5min};
  const std::vector<std::string> secret{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"};
  Request request{{{"webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"},
                   {"webhook-timestamp", "1614265330"},
                   {"webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}},
                  R"({"test": 2432232314})"};
  CHECK(check(sender, request, secret) == "proven");
  CHECK(check(sender, request, secret, kNow + 5min) == "proven");
  CHECK(check(sender, request, secret, kNow + 5min + 1ms) == "stale");
  CHECK(check(sender, request, secret, kNow - 5min - 1s) == "stale");
  CHECK(check(sender, request) == "wrong");
  const auto changed = [&](std::size_t field, const std::string& value) {
    auto other = request;
    other.fields[field].second = value;
    return check(sender, other, secret);
  };
  CHECK(changed(0, "msg_p5jXN8AQM9LWM0D4loKWxJeK") == "wrong");
  CHECK(changed(0, "") == "malformed");
  CHECK(changed(0, "msg_p5jXN8AQM9LWM0D4loKWxJek.1") == "malformed");
  CHECK(changed(1, "1614265331") == "wrong");
  CHECK(changed(1, " 1614265330") == "malformed");
  CHECK(changed(1, "-1") == "malformed");
  CHECK(changed(1, "9999999999999") == "malformed");
  const auto good = request.fields[2].second;
  CHECK(changed(2, "v1,AAAA " + good + " v1a,AAAA") == "proven");
  CHECK(changed(2, "v1a," + good.substr(3)) == "malformed");
  CHECK(changed(2, "v1,!") == "malformed");
  std::string many;
  for (int i = 0; i < 8; ++i) many += "v1,AAAA ";
  CHECK(changed(2, many) == "wrong");
  CHECK(changed(2, many + good) == "malformed");
  auto other = request;
  other.body += " ";
  CHECK(check(sender, other, secret) == "wrong");
}

TEST_CASE("a timestamped signature is over time and body", "[listen][proof]") {
  const ListenSender sender{
      .proof = SenderProof::timestamped_signature, .signature_header = "Acme-Signature", .tolerance = 10s};
  const auto signature = signature_of("1614265330.body");
  const auto with = [&](const std::string& value, WallTime now = kNow) {
    return check(sender, {{{"Acme-Signature", value}}}, {std::string(kSecret)}, now);
  };
  CHECK(with("t=1614265330,v1=" + signature) == "proven");
  CHECK(with("t=1614265330, v0=00, v1=00, v1=" + signature) == "proven");
  CHECK(with("t=1614265330,v1=" + signature, kNow + 11s) == "stale");
  CHECK(with("t=1614265340,v1=" + signature) == "wrong");  // moved to be fresh
  CHECK(with("t=1614265330,t=1614265330,v1=" + signature) == "malformed");
  CHECK(with("v1=" + signature) == "malformed");
  CHECK(with("t=1614265330") == "malformed");
  CHECK(with("t=1614265330,v0=" + signature) == "malformed");
}

TEST_CASE("a bearer shows the whole secret", "[listen][proof]") {
  const ListenSender sender{.proof = SenderProof::bearer};
  const auto with = [&](const std::string& value) { return check(sender, {{{"Authorization", value}}}); };
  CHECK(with(fmt::format("Bearer {}", kSecret)) == "proven");
  CHECK(with(fmt::format("bearer {}", kSecret)) == "proven");
  CHECK(with(fmt::format("Bearer {}x", kSecret)) == "wrong");
  CHECK(with(fmt::format("Bearer {}", kSecret.substr(1))) == "wrong");
  CHECK(with("Bearer") == "wrong");
  CHECK(with(fmt::format("Basic {}", kSecret)) == "malformed");
  CHECK(check(sender, {}) == "missing");
  CHECK(check(sender, {{{"Authorization", "Bearer "}}}, {}) == "wrong");
}
