#include "agent/link/identity.h"

#include "tests/support/pki.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

using namespace sallyport;
using namespace sallyport::agent;
using namespace sallyport::test;

namespace {

Identity identity_of(const Pki& pki) {
  auto pair = pki.agent();
  return {{"relay.example", 443}, "dc1", pair.id, std::move(pair.key), pair.chain, pki.root.certificate};
}

}  // namespace

TEST_CASE("an identity survives its file", "[link]") {
  const SystemClock clock;
  const Pki pki(clock);
  const TempDir dir;
  FileIdentityStore store(dir.path("identity.pem"));
  const auto identity = identity_of(pki);
  REQUIRE(store.install(identity));
  const auto loaded = store.load();
  REQUIRE(loaded);
  CHECK(loaded->relay == identity.relay);
  CHECK(loaded->group == "dc1");
  CHECK(loaded->id == identity.id);
  CHECK(loaded->chain == identity.chain);
  CHECK(loaded->root == identity.root);
  CHECK(loaded->key.public_key_der() == identity.key.public_key_der());
  struct stat facts{};
  REQUIRE(::stat(dir.path("identity.pem").c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
}

TEST_CASE("before enrolment there is no identity, and the error says what to do", "[link]") {
  const TempDir dir;
  const auto loaded = FileIdentityStore(dir.path("identity.pem")).load();
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().code == Errc::not_found);
  CHECK(loaded.error().message.find("sallyport-agent enrol") != std::string::npos);
}

TEST_CASE("a file that others may read is refused", "[link]") {
  const SystemClock clock;
  const Pki pki(clock);
  const TempDir dir;
  FileIdentityStore store(dir.path("identity.pem"));
  REQUIRE(store.install(identity_of(pki)));
  REQUIRE(::chmod(dir.path("identity.pem").c_str(), 0640) == 0);
  const auto loaded = store.load();
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().message.find("chmod") != std::string::npos);
}

TEST_CASE("a file cut anywhere is never half an identity", "[link]") {
  const SystemClock clock;
  const Pki pki(clock);
  const auto text = format_identity(identity_of(pki));
  REQUIRE(parse_identity(text.reveal()));
  for (std::size_t cut = 0; cut + 1 < text.size(); cut += 7) {
    INFO("cut after byte " << cut);
    REQUIRE_FALSE(parse_identity(text.reveal().substr(0, cut)));
  }
}

// A real process and a real SIGKILL, at moments that wander over the whole of an installation.
TEST_CASE("whoever is killed while an identity is replaced has the old one or the new one", "[link]") {
  const SystemClock clock;
  const Pki pki(clock);
  const TempDir dir;
  FileIdentityStore store(dir.path("identity.pem"));
  const std::array identities{identity_of(pki), identity_of(pki)};
  REQUIRE(store.install(identities[0]));
  std::array<int, 2> found{};
  for (int round = 0; round < 60; ++round) {
    INFO("round " << round);
    const pid_t child = ::fork();
    if (child == 0) {
      for (std::size_t i = 1;; ++i) {
        if (!store.install(identities[i % 2])) ::_exit(1);
      }
    }
    REQUIRE(child > 0);
    std::this_thread::sleep_for(std::chrono::microseconds(1'000 + 733 * round));
    REQUIRE(::kill(child, SIGKILL) == 0);
    int how = 0;
    REQUIRE(::waitpid(child, &how, 0) == child);
    REQUIRE(WIFSIGNALED(how));  // it did not give up before
    const auto left = store.load();
    REQUIRE(left);
    for (std::size_t i = 0; i < 2; ++i) found[i] += left->chain == identities[i].chain ? 1 : 0;
  }
  CHECK(found[0] + found[1] == 60);
  CHECK(found[1] > 0);  // positive control: installations did happen
  REQUIRE(store.install(identities[0]));
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);  // no key is left lying about
}

TEST_CASE("parts of two identities are not one", "[link]") {
  const SystemClock clock;
  const Pki pki(clock);
  const Pki other(clock);
  struct Case {
    std::string what;
    std::function<void(Identity&)> bend;
    std::string fragment;
  };
  const std::vector<Case> cases = {
      {"another key", [&](Identity& i) { i.key = must(crypto::PrivateKey::generate()); }, "another key"},
      {"another agent's name", [&](Identity& i) { i.id.agent = pki.agent().id.agent; }, "names somebody else"},
      {"another root", [&](Identity& i) { i.root = other.root.certificate; }, "root did not sign"},
      {"another issuer", [&](Identity& i) { i.chain[1] = other.issuer.certificate; }, "issuer did not sign"},
      {"no issuer", [&](Identity& i) { i.chain.pop_back(); }, "not exactly"},
  };
  for (const auto& one : cases) {
    INFO(one.what);
    auto identity = identity_of(pki);
    REQUIRE(check_identity(identity));
    one.bend(identity);
    const auto outcome = check_identity(identity);
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().message.find(one.fragment) != std::string::npos);
    const TempDir dir;
    CHECK_FALSE(FileIdentityStore(dir.path("identity.pem")).install(identity));
    CHECK_FALSE(dir.has("identity.pem"));
  }
}
