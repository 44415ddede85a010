#include "relay/webhooks/secrets.h"

#include <catch2/catch.hpp>

#include <chrono>

using namespace sallyport;
using namespace sallyport::webhooks;
using namespace std::chrono_literals;

namespace {

const WallTime kNow{std::chrono::seconds(1'700'000'000)};

std::vector<HeldSecret> held(std::initializer_list<std::string> texts) {
  std::vector<HeldSecret> secrets;
  for (auto text : texts) secrets.push_back({.text = Secret::take(text)});
  return secrets;
}

std::vector<std::string> texts_of(const std::vector<Secret>& secrets) {
  std::vector<std::string> texts;
  for (const auto& secret : secrets) texts.emplace_back(secret.reveal());
  return texts;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("secrets of a webhook read back as they were sealed", "[webhooks]") {
  const auto secrets =
      with_newest(held({"one-of-the-secrets"}), Secret::take(std::string("whsec_newest")), kNow, kNow + 1h);
  const auto read = split_secrets(join_secrets(secrets));
  REQUIRE(read);
  REQUIRE(read->size() == 2);
  CHECK(read->at(0).text.reveal() == "whsec_newest");
  CHECK_FALSE(read->at(0).until);
  CHECK(read->at(1).text.reveal() == "one-of-the-secrets");
  CHECK(read->at(1).until == kNow + 1h);
  for (const auto* wrong : {"x", "x y", "1x y", "-1 a\nb", "- a\n- b\n- c\n- d\n- e\n"}) {
    INFO(wrong);
    const auto refused = split_secrets(Secret::take(std::string(wrong)));
    CHECK_FALSE(refused);
  }
}

TEST_CASE("an older secret is good until its time is over, and never longer than it was told", "[webhooks]") {
  auto secrets = with_newest(held({"first"}), Secret::take(std::string("second")), kNow, kNow + 1h);
  CHECK(texts_of(good_at(secrets, kNow + 1h - 1ms)) == Texts{"second", "first"});
  CHECK(texts_of(good_at(secrets, kNow + 1h)) == Texts{"second"});
  secrets = with_newest(std::move(secrets), Secret::take(std::string("third")), kNow, kNow + 5h);
  CHECK(texts_of(good_at(secrets, kNow + 1h)) == Texts{"third", "second"});
  secrets = with_newest(std::move(secrets), Secret::take(std::string("fourth")), kNow, kNow);
  CHECK(texts_of(good_at(secrets, kNow)) == Texts{"fourth"});
  for (int i = 0; i < 10; ++i)
    secrets = with_newest(std::move(secrets), Secret::take(std::to_string(i)), kNow, kNow + 1h);
  CHECK(texts_of(good_at(secrets, kNow)) == Texts{"9", "8", "7", "6"});
  CHECK(split_secrets(join_secrets(secrets)).value().size() == kMostSecrets);
}

TEST_CASE("what can be no secret is refused without telling it", "[webhooks]") {
  CHECK(fault_of_secret(make_secret().reveal()) == "");
  CHECK(make_secret().reveal() != make_secret().reveal());
  CHECK(fault_of_secret("It's-a-Secret-to-Everybody") == "");
  CHECK(fault_of_secret(std::string(kLongestSecret, 'x')) == "");
  for (const auto& wrong :
       {std::string(), std::string("canary"), std::string("canary with a blank"), std::string("canary\nof two lines"),
        std::string("canary-\xC3\xA4-of-a-letter"), "canary" + std::string(kLongestSecret, 'x'),
        std::string("whsec_canarycanary%%%%"), std::string("whsec_Y2FuYXJ5")}) {
    CHECK(fault_of_secret(wrong) != "");
    CHECK(fault_of_secret(wrong).find("canary") == std::string::npos);
  }
}
