#include "relay/app/new_data_directory.h"
#include "relay/app/token_file.h"
#include "relay/identity/deployment.h"
#include "relay/keys/master_key.h"
#include "shared/crypto/aead.h"
#include "tests/unit/relay/app/made_relay.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>

// Making a relay: whole or not at all, also for who is killed in the middle.
using namespace sallyport;
using namespace sallyport::app;
using namespace sallyport::test;
namespace fs = std::filesystem;

namespace {

void check_whole(const DataDirectory& data) {
  CHECK(load_settings(data.settings()));
  CHECK(identity::load_deployment(data.deployment()));
  CHECK(keys::read_key_file(data.master_key(), std::nullopt));
  CHECK(fs::file_size(data.database()) > 0);
  CHECK_FALSE(fs::exists(data.root / ".init"));
  CHECK((fs::status(data.root).permissions() & fs::perms::mask) == fs::perms::owner_all);
}

// Runs `work` in a process of its own, which ends by a signal.
template <class Work>
void killed(Work work) {
  const auto child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    work();
    ::raise(SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFSIGNALED(status));
}

struct Ran {
  int code;
  std::string out, err;
};
Ran relay_program(const TempDir& folder, std::string_view words, std::string_view out = "out") {
  const auto command = fmt::format("cd {0} && {1}/sallyport-relay {2} >{3} 2>err", folder.path(),
                                   fs::absolute(std::getenv("SALLYPORT_BIN")).string(), words, out);
  const int status = std::system(command.c_str());
  return {WEXITSTATUS(status), folder.read("out"), folder.read("err")};
}

constexpr std::string_view kInit = "init --data relay --organisation acme --owner ada@acme.example";

}  // namespace

TEST_CASE("a relay is made once", "[app][init]") {
  const TempDir folder;
  const auto order = order_in(folder.path("relay"));
  const auto token = init(order, kClock);
  REQUIRE(token);
  check_whole(order.data);
  CHECK(folder.read("relay/first-owner.token") == std::string(token->reveal()) + "\n");
  struct stat facts{};
  REQUIRE(::stat(order.data.first_token().c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
  const auto key = folder.read("relay/keys/master.key");
  const auto again = init(order, kClock);
  REQUIRE_FALSE(again);
  CHECK(again.error().code == Errc::conflict);
  CHECK_THAT(again.error().message,
             Catch::Contains("holds a relay already") && Catch::Contains("its first owner's token is still in"));
  CHECK(folder.read("relay/keys/master.key") == key);
}

TEST_CASE("a directory that is there may be used, and what else is in it stays", "[app][init]") {
  const TempDir folder;
  folder.write("relay/lost+found/x", "mine");
  const auto order = order_in(folder.path("relay"));
  CHECK(init(order, kClock));
  check_whole(order.data);
  CHECK(folder.read("relay/lost+found/x") == "mine");
}

TEST_CASE("a folder of something else is neither a relay's nor made private", "[app][init]") {
  for (const std::string other : {"notes.txt", "src/main.c", ".profile"}) {
    const TempDir folder;
    folder.write("relay/" + other, "mine");
    const auto mode = fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec;
    fs::permissions(folder.path("relay"), mode);
    const auto refused = init(order_in(folder.path("relay")), kClock);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::conflict);
    CHECK_THAT(refused.error().message, Catch::Contains("is not empty") && Catch::Contains("nothing was changed"));
    CHECK(fs::status(folder.path("relay")).permissions() == mode);
    CHECK(folder.read("relay/" + other) == "mine");
    CHECK_FALSE(folder.has("relay/relay.lock"));
  }
  const TempDir folder;
  folder.write("relay", "a file");
  CHECK(init(order_in(folder.path("relay")), kClock).error().code == Errc::conflict);
  fs::remove(folder.path("relay"));
  fs::create_directory(folder.path("relay"));  // empty, and the lock of one that failed
  folder.write("relay/relay.lock", "");
  CHECK(init(order_in(folder.path("relay")), kClock));
}

TEST_CASE("a directory of another user does not become a relay that this user cannot start", "[app][init]") {
  if (::geteuid() != 0) {  // only root gets that far
    WARN("not tested: needs root");
    return;
  }
  const TempDir folder;
  const auto order = order_in(folder.path("relay"));
  fs::create_directory(order.data.root);
  REQUIRE(::chown(order.data.root.c_str(), 65534, 65534) == 0);
  const auto refused = init(order, kClock);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::forbidden);
  CHECK_THAT(refused.error().message, Catch::Contains("belongs to nobody"));
  CHECK(fs::is_empty(order.data.root));
}

TEST_CASE("an order that fails leaves nothing that hinders the corrected one", "[app][init]") {
  const TempDir folder;
  auto order = order_in(folder.path("relay"));
  order.trust_domain = "BAD_DOMAIN";
  CHECK_FALSE(init(order, kClock));
  CHECK_FALSE(folder.has("relay"));
  order.trust_domain = "relay.test";
  order.server_names = {"no such name!"};  // found out only when the certificate is made
  const auto refused = init(order, kClock);
  REQUIRE_FALSE(refused);
  const std::vector left(fs::directory_iterator(folder.path("relay")), {});
  REQUIRE(left.size() == 1);
  CHECK(left[0].path().filename() == "relay.lock");
  order.server_names = {};
  CHECK(init(order, kClock));
  check_whole(order.data);
}

TEST_CASE("parts of a relay that no unfinished init left are not touched", "[app][init]") {
  for (const std::string part : {"relay.db", "keys/master.key", "deployment/root.key"}) {
    const TempDir folder;
    folder.write("relay/" + part, "precious");
    const auto made = init(order_in(folder.path("relay")), kClock);
    REQUIRE_FALSE(made);
    CHECK(made.error().code == Errc::conflict);
    CHECK_THAT(made.error().message, Catch::Contains("but no relay.yaml; nothing was changed"));
    CHECK(folder.read("relay/" + part) == "precious");
    CHECK_FALSE(folder.has("relay/.init"));
  }
}

TEST_CASE("two at once: one is refused and harms nothing", "[app][init]") {
  const TempDir folder;
  const auto order = order_in(folder.path("relay"));
  {
    auto first = NewDataDirectory::begin(order.data);
    REQUIRE(first);
    folder.write("relay/.init/keys/master.key", "of the first");
    const auto second = init(order, kClock);
    REQUIRE_FALSE(second);
    CHECK(second.error().code == Errc::conflict);
    CHECK_THAT(second.error().message, Catch::Contains("uses the data directory"));
    CHECK(folder.read("relay/.init/keys/master.key") == "of the first");
  }
  CHECK(init(order, kClock));
}

TEST_CASE("who is killed at any stage leaves nothing that hinders the next", "[app][init]") {
  const TempDir folder;
  const auto order = order_in(folder.path("relay"));
  SECTION("before anything is built") {
    killed([&] {
      const auto fresh = NewDataDirectory::begin(order.data);
      ::raise(SIGKILL);
    });
  }
  SECTION("while it is built") {
    killed([&] {
      const auto fresh = NewDataDirectory::begin(order.data);
      fs::create_directory(fresh->building().master_key().parent_path());
      const auto written = keys::write_key_file(fresh->building().master_key(), crypto::new_aead_key(), std::nullopt);
      ::raise(SIGKILL);
    });
    CHECK(folder.has("relay/.init/keys/master.key"));
  }
  SECTION("while it is put into its place") {
    const TempDir other;
    REQUIRE(init(order_in(other.path("relay")), kClock));
    fs::create_directories(folder.path("relay/.init"));
    fs::rename(other.path("relay/keys"), folder.path("relay/keys"));
    fs::rename(other.path("relay/relay.db"), folder.path("relay/relay.db"));
    fs::rename(other.path("relay/deployment"), folder.path("relay/.init/deployment"));
    fs::rename(other.path("relay/relay.yaml"), folder.path("relay/.init/relay.yaml"));
  }
  CHECK(init(order, kClock));
  check_whole(order.data);
}

TEST_CASE("killed at any moment, the relay is whole with its token at hand, or made by the next try", "[app][init]") {
  for (int round = 0; round < 8; ++round) {
    INFO("killed after " << round * 25 << " ms");
    const TempDir folder;
    const auto order = order_in(folder.path("relay"));
    const auto child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      const auto token = init(order, kClock);
      ::pause();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(round * 25));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const auto next = init(order, kClock);
    if (!next) {
      CHECK_THAT(next.error().message, Catch::Contains("first owner's token is still in"));
    }
    check_whole(order.data);
    CHECK(folder.has("relay/first-owner.token"));
  }
}

TEST_CASE("a token file is new, private, and never one that was there", "[app][init]") {
  const TempDir folder;
  auto text = std::string("spt_x");
  const auto token = Secret::take(text);
  const fs::path file = folder.path("owner.token");
  CHECK(check_token_file(file));
  REQUIRE(write_token(file, token));
  CHECK(folder.read("owner.token") == "spt_x\n");
  CHECK((fs::status(file).permissions() & fs::perms::mask) == (fs::perms::owner_read | fs::perms::owner_write));
  CHECK(check_token_file(file).error().code == Errc::conflict);
  CHECK(write_token(file, token).error().code == Errc::conflict);
  fs::create_symlink(folder.path("elsewhere"), folder.path("link"));
  CHECK_FALSE(check_token_file(folder.path("link")));
  CHECK_FALSE(write_token(folder.path("link"), token));
  CHECK_FALSE(check_token_file(folder.path("no/such/folder/token")));
}

TEST_CASE("the program: a wrong word or token file costs nothing, and no token is lost", "[app][init]") {
  if (std::getenv("SALLYPORT_BIN") == nullptr) {
    WARN("no SALLYPORT_BIN: the program was not run");
    return;
  }
  const TempDir folder;
  CHECK(relay_program(folder, fmt::format("{} --api localhost:8443", kInit)).code == 2);
  CHECK(relay_program(folder, fmt::format("{} --link 0.0.0.0:8444", kInit)).code == 2);
  CHECK(relay_program(folder, fmt::format("{} --trust-domain BAD_DOMAIN", kInit)).code == 2);
  const auto wordless = relay_program(folder, "");
  CHECK(wordless.code == 2);
  CHECK(wordless.out.empty());
  CHECK_THAT(wordless.err, Catch::StartsWith("usage: sallyport-relay init"));
  CHECK(relay_program(folder, "--help").code == 0);
  folder.write("owner.token", "older");
  const auto occupied = relay_program(folder, fmt::format("{} --token-file owner.token", kInit));
  CHECK(occupied.code == 1);
  CHECK_THAT(occupied.err, Catch::Contains("owner.token exists already"));
  CHECK_FALSE(folder.has("relay"));
  CHECK(folder.read("owner.token") == "older");

  const auto full = relay_program(folder, kInit, "/dev/full");
  CHECK(full.code == 1);
  CHECK_THAT(full.err, Catch::Contains("its first owner's token is in relay/first-owner.token"));
  CHECK_THAT(folder.read("relay/first-owner.token"), Catch::StartsWith("spt_"));
  CHECK_THAT(relay_program(folder, kInit).err, Catch::Contains("token is still in relay/first-owner.token"));

  fs::remove_all(folder.path("relay"));
  const auto good = relay_program(folder, fmt::format("{} --token-file new.token", kInit));
  CHECK(good.code == 0);
  CHECK(good.out.empty());
  CHECK_THAT(folder.read("new.token"), Catch::StartsWith("spt_"));
  CHECK(good.err.find(folder.read("new.token").substr(0, 20)) == std::string::npos);
  CHECK_FALSE(folder.has("relay/first-owner.token"));
}
