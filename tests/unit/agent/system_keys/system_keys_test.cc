#include "agent/system_keys/system_keys.h"

#include "agent/system_keys/system_key_vault.h"
#include "tests/unit/agent/system_keys/bench.h"

#include <catch2/catch.hpp>

#include <sys/stat.h>

#include <filesystem>

using namespace sallyport;
using namespace sallyport::test;
using Source = vault::SecretRef::Source;

namespace {

template <class... Keys>
std::vector<agent::HeldKey> set_of(Keys... keys) {
  std::vector<agent::HeldKey> set;
  (set.push_back(std::move(keys)), ...);
  return set;
}

std::string password_in(const agent::SystemKeys& keys) {
  const auto value = keys.value("erp-db", "password");
  return value ? std::string(value->reveal()) : value.error().message;
}

mode_t mode_of(const std::string& path) {
  struct stat found{};
  REQUIRE(::stat(path.c_str(), &found) == 0);
  return found.st_mode & 07777;
}

}  // namespace

TEST_CASE("what is sealed to the agent opens there, also after a start without the relay", "[system_keys]") {
  const SystemKeyBench bench;
  auto keys = bench.open();
  const auto facts = must(keys->take(set_of(bench.sealed(*keys, "erp-db", 1, "s3cret-one"))));
  REQUIRE(facts.size() == 1);
  CHECK(facts[0].opens);
  CHECK(keys->value("erp-db", "password")->reveal() == "s3cret-one");

  keys = bench.open();
  CHECK(keys->value("erp-db", "password")->reveal() == "s3cret-one");
  CHECK(keys->version_of("erp-db") == 1);
  for (const auto* file : {"sealing-keys", "system-keys"}) {
    CHECK(mode_of(bench.dir.path(file)) == 0600);
    CHECK(bench.dir.read(file).find("s3cret-one") == std::string::npos);
  }
}

TEST_CASE("what is not there says what to do", "[system_keys]") {
  const SystemKeyBench bench;
  const auto keys = bench.open();
  const auto absent = keys->value("erp-db", "password");
  REQUIRE_FALSE(absent);
  CHECK(absent.error().code == Errc::not_found);
  CHECK(absent.error().message.find("sallyport system-keys set erp-db --group GROUP") != std::string::npos);
  CHECK(keys->version_of("erp-db") == 0);
  must(keys->take(set_of(bench.sealed(*keys, "erp-db", 1, "s3cret-one"))));
  CHECK(keys->value("erp-db", "token").error().message == R"(the system key erp-db has no value "token")");
}

TEST_CASE("a key that the relay has no more is forgotten, in the file too", "[system_keys]") {
  const SystemKeyBench bench;
  const auto keys = bench.open();
  must(keys->take(set_of(bench.sealed(*keys, "erp-db", 1, "s3cret-one"))));
  CHECK(bench.dir.read("system-keys").find("erp-db") != std::string::npos);
  CHECK(must(keys->take({})).empty());
  CHECK(keys->value("erp-db", "password").error().code == Errc::not_found);
  CHECK(bench.dir.read("system-keys").find("erp-db") == std::string::npos);
}

TEST_CASE("a relay cannot bring back an older version of a key that is here", "[system_keys]") {
  const SystemKeyBench bench;
  const auto keys = bench.open();
  const auto first = bench.sealed(*keys, "erp-db", 1, "s3cret-one");
  must(keys->take(set_of(first)));
  must(keys->take(set_of(bench.sealed(*keys, "erp-db", 2, "s3cret-two"))));
  must(keys->take(set_of(first)));
  CHECK(keys->value("erp-db", "password")->reveal() == "s3cret-two");
  CHECK(bench.lines.text.find("system_key.older") != std::string::npos);
}

TEST_CASE("what does not open takes the place of nothing that does, whatever its version", "[system_keys]") {
  const SystemKeyBench bench;
  const auto keys = bench.open();
  must(keys->take(set_of(bench.sealed(*keys, "erp-db", 1, "s3cret-one"))));
  auto spoilt = bench.sealed(*keys, "erp-db", 2, "s3cret-two");
  spoilt.version = 9'000'000'000;
  const auto facts = must(keys->take(set_of(spoilt)));
  CHECK(facts.at(0).version == spoilt.version);  // it is told of, so that somebody sets it again
  CHECK_FALSE(facts.at(0).opens);
  CHECK(password_in(*keys) == "s3cret-one");
  CHECK(password_in(*bench.open()) == "s3cret-one");  // on the disk too

  must(keys->take(set_of(bench.sealed(*keys, "erp-db", 2, "s3cret-two"))));
  CHECK(password_in(*keys) == "s3cret-two");
}

TEST_CASE("what does not open stands in the way of nothing that does", "[system_keys]") {
  const SystemKeyBench bench;
  const auto keys = bench.open();
  auto spoilt = bench.sealed(*keys, "erp-db", 1, "s3cret-one");
  spoilt.version = 9'000'000'000;
  CHECK_FALSE(must(keys->take(set_of(spoilt))).at(0).opens);
  CHECK(must(keys->take(set_of(bench.sealed(*keys, "erp-db", 1, "s3cret-one")))).at(0).opens);
  CHECK(password_in(*keys) == "s3cret-one");
  CHECK(bench.lines.text.find("system_key.older") == std::string::npos);
}

TEST_CASE("a relay that swaps what it keeps gets nothing opened", "[system_keys]") {
  const SystemKeyBench bench;
  const auto keys = bench.open();
  const auto swapped = [&](auto bend) {
    auto key = bench.sealed(*keys, "erp-db", 1, "s3cret-one");
    bend(key);
    const auto facts = must(keys->take(set_of(key)));
    const auto value = keys->value(facts.at(0).name, "password");
    must(keys->take({}));
    return facts.at(0).opens || value.has_value();
  };
  CHECK(swapped([](agent::HeldKey&) {}));  // positive control: as it was sealed it opens
  CHECK_FALSE(swapped([](agent::HeldKey& key) { key.name = "erp-test"; }));
  CHECK_FALSE(swapped([](agent::HeldKey& key) { key.group = GroupId("grp_2"); }));
  CHECK_FALSE(swapped([](agent::HeldKey& key) { key.version = 9; }));
  CHECK_FALSE(swapped([](agent::HeldKey& key) { key.generation = 2; }));
  CHECK_FALSE(swapped([](agent::HeldKey& key) { key.sealed.back() ^= std::byte{1}; }));
  const SystemKeyBench other;
  const auto theirs = other.open();
  CHECK_FALSE(swapped([&](agent::HeldKey& key) { key.sealed = other.sealed(*theirs, "erp-db", 1, "x").sealed; }));
}

TEST_CASE("a set that cannot be is refused whole, and what was there stays", "[system_keys]") {
  const SystemKeyBench bench;
  const auto keys = bench.open();
  const auto good = bench.sealed(*keys, "erp-db", 1, "s3cret-one");
  must(keys->take(set_of(good)));
  auto unnamed = good, nothing = good, huge = good, first = good;
  unnamed.name = "ERP";
  nothing.sealed.clear();
  huge.sealed.resize(1u << 20);
  first.generation = 0;
  CHECK_FALSE(keys->take(set_of(good, good)));
  for (const auto& bad : {unnamed, nothing, huge, first}) CHECK_FALSE(keys->take(set_of(bad)));
  CHECK_FALSE(keys->take(std::vector<agent::HeldKey>(101, good)));
  CHECK(keys->value("erp-db", "password")->reveal() == "s3cret-one");
}

TEST_CASE("sealing keys are renewed after a year, and kept while something is sealed to them", "[system_keys]") {
  SystemKeyBench bench;
  const auto keys = bench.open();
  const auto before = keys->fingerprint();
  const auto old = bench.sealed(*keys, "erp-db", 1, "s3cret-one");
  must(keys->take(set_of(old)));
  bench.clock.advance(agent::kSealingKeyLife);
  CHECK(must(sealing::parse_statement(must(keys->statement()))).generation == 2);
  CHECK(keys->fingerprint() != before);
  must(keys->take(set_of(old)));
  CHECK(keys->value("erp-db", "password")->reveal() == "s3cret-one");  // the old key still opens it

  must(keys->take({}));  // nothing is sealed to it any more
  CHECK_FALSE(must(keys->take(set_of(old))).at(0).opens);
  CHECK(must(agent::SealingKeys::load(bench.dir.path("sealing-keys"))).size() == 1);
}

TEST_CASE("there are never more than so many sealing keys", "[system_keys]") {
  const SystemKeyBench bench;
  auto keys = must(agent::SealingKeys::load_or_create(bench.dir.path("sealing-keys"), bench.clock.wall()));
  for (int i = 0; i < 20; ++i) must(keys.renew(bench.clock.wall()));
  CHECK(keys.size() == agent::kMostSealingKeys);
  CHECK(keys.newest() == 21);
  const auto again = must(agent::SealingKeys::load(bench.dir.path("sealing-keys")));
  CHECK(again.newest_key().public_point() == keys.newest_key().public_point());
  CHECK(again.find(20) != nullptr);
  CHECK(again.find(1) == nullptr);
}

TEST_CASE("files that are damaged or open to others stop the start, and say what to do", "[system_keys]") {
  const SystemKeyBench bench;
  must(bench.open()->take({}));
  const auto opened = [&] { return agent::SystemKeys::open(bench.dir.path(), bench.store, bench.clock, bench.log); };
  REQUIRE(opened());
  const auto whole = bench.dir.read("sealing-keys");
  for (std::size_t cut = 0; cut < whole.size(); cut += 7) {
    INFO("cut after byte " << cut);
    bench.dir.write("sealing-keys", whole.substr(0, cut));
    const auto damaged = opened();
    REQUIRE_FALSE(damaged);
    CHECK(damaged.error().message.find("is damaged: remove it") != std::string::npos);
  }
  bench.dir.write("sealing-keys", whole);
  bench.dir.write("system-keys", "{");
  CHECK(opened().error().message.find("is damaged") != std::string::npos);
  bench.dir.write("system-keys", R"({"keys":[]})");
  REQUIRE(opened());
  ::chmod(bench.dir.path("sealing-keys").c_str(), 0640);
  CHECK(opened().error().code == Errc::forbidden);
}

TEST_CASE("a revoked agent forgets its system keys and what opens them, and takes no other", "[system_keys]") {
  const SystemKeyBench bench;
  const auto keys = bench.open();
  const auto key = bench.sealed(*keys, "erp-db", 1, "s3cret-one");
  must(keys->take(set_of(key)));
  REQUIRE(bench.dir.has("sealing-keys"));
  REQUIRE(bench.dir.has("system-keys"));
  keys->forget_all();
  CHECK_FALSE(bench.dir.has("sealing-keys"));
  CHECK_FALSE(bench.dir.has("system-keys"));
  CHECK(keys->value("erp-db", "password").error().code == Errc::not_found);
  CHECK(keys->version_of("erp-db") == 0);  // what was opened with it is closed
  CHECK(keys->take(set_of(key)).error().code == Errc::not_found);
  CHECK_FALSE(bench.dir.has("system-keys"));
  keys->forget_all();
  CHECK(bench.lines.text.find("system_keys.forgotten") == bench.lines.text.rfind("system_keys.forgotten"));
  CHECK(bench.lines.text.find("system_keys.not_forgotten") == std::string::npos);
}

TEST_CASE("a removal of system keys that may not outlast a power cut is told", "[system_keys]") {
  const SystemKeyBench bench;
  const auto keys = bench.open();
  std::filesystem::remove_all(bench.dir.path());
  keys->forget_all();
  CHECK(bench.lines.text.find("system_keys.not_forgotten") != std::string::npos);
}

TEST_CASE("who only looks makes no sealing key", "[system_keys]") {
  const SystemKeyBench bench;
  const auto keys = must(agent::SystemKeys::open(bench.dir.path(), bench.store, bench.clock, bench.log,
                                                 agent::SystemKeys::WhenAbsent::leave));
  CHECK(keys->fingerprint().empty());
  CHECK_FALSE(keys->statement());
  CHECK_FALSE(bench.dir.has("sealing-keys"));
}

TEST_CASE("the vault takes from where the operator's file says, and from nowhere else", "[system_keys]") {
  const SystemKeyBench bench;
  const auto keys = bench.open();
  must(keys->take(set_of(bench.sealed(*keys, "erp-db", 5, "s3cret-one"))));
  const agent::SystemKeyVault vault(*keys);
  CHECK(vault.resolve({Source::system_key, "erp-db/password"})->reveal() == "s3cret-one");
  CHECK(vault.version_of({Source::system_key, "erp-db/password"}) == 5);
  const auto local = bench.dir.write("erp-db", "local-one");
  ::chmod(local.c_str(), 0600);
  CHECK(vault.resolve({Source::file, local})->reveal() == "local-one");  // a key of that name changes nothing
  CHECK(vault.version_of({Source::file, local}) == 0);
  CHECK(vault.resolve({Source::file, bench.dir.path("absent")}).error().code == Errc::not_found);
  CHECK(vault.resolve({Source::system_key, "erp-test/password"}).error().code == Errc::not_found);
  CHECK_FALSE(vault::LocalVault().resolve({Source::system_key, "erp-db/password"}));
}
