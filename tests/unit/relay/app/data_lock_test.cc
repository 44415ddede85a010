#include "relay/app/data_lock.h"
#include "relay/app/init.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

using namespace sallyport;
using app::DataDirectory;
using app::DataLock;
using test::TempDir;

namespace {

// Another process that holds the lock until it is killed.
class Holder {
 public:
  explicit Holder(const DataDirectory& data) {
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    child_ = ::fork();
    if (child_ == 0) {
      const auto lock = DataLock::take(data);
      const char answer = lock ? 'y' : 'n';
      (void)!::write(ready[1], &answer, 1);
      for (;;) ::pause();
    }
    char answer = 0;
    REQUIRE(::read(ready[0], &answer, 1) == 1);
    ::close(ready[0]);
    ::close(ready[1]);
    REQUIRE(answer == 'y');
  }
  ~Holder() { kill(); }
  pid_t pid() const { return child_; }
  void kill() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    child_ = -1;
  }

 private:
  pid_t child_ = -1;
};

}  // namespace

TEST_CASE("a data directory is one process's, until that process is killed", "[app][lock]") {
  TempDir folder;
  const DataDirectory data{folder.path("")};
  Holder holder(data);
  const auto refused = DataLock::take(data);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::conflict);
  CHECK(refused.error().message.find("process (" + std::to_string(holder.pid()) + ")") != std::string::npos);
  CHECK(refused.error().message.find(data.root.string()) != std::string::npos);
  CHECK(refused.error().message.find("stop it") != std::string::npos);
  holder.kill();
  CHECK(DataLock::take(data));
}

TEST_CASE("within one process a second hand on the directory is refused too", "[app][lock]") {
  TempDir folder;
  const DataDirectory data{folder.path("")};
  {
    const auto first = DataLock::take(data);
    REQUIRE(first);
    const auto second = DataLock::take(data);
    REQUIRE_FALSE(second);
    CHECK(second.error().message.find(std::to_string(::getpid())) != std::string::npos);
  }
  CHECK(DataLock::take(data));
}

TEST_CASE("the lock's file is private, and says no more than it knows", "[app][lock]") {
  TempDir folder;
  const DataDirectory data{folder.path("")};
  const auto first = DataLock::take(data);
  REQUIRE(first);
  struct stat status{};
  REQUIRE(::stat(data.lock().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  for (const char* odd : {"", "not a number", "-1"}) {
    std::ofstream(data.lock(), std::ios::trunc) << odd;
    const auto refused = DataLock::take(data);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("process (unknown)") != std::string::npos);
  }
}

TEST_CASE("a directory that is absent, or whose lock is a link, is refused", "[app][lock]") {
  TempDir folder;
  const auto absent = DataLock::take({folder.path("absent")});
  REQUIRE_FALSE(absent);
  CHECK(absent.error().code == Errc::unavailable);
  CHECK(absent.error().message.find("relay.lock") != std::string::npos);
  const DataDirectory data{folder.path("")};
  std::filesystem::create_symlink(folder.path("elsewhere"), data.lock());
  CHECK_FALSE(DataLock::take(data));
  CHECK_FALSE(std::filesystem::exists(folder.path("elsewhere")));
}

TEST_CASE("who may not enter the data directory is told what to do", "[app][lock]") {
  if (::geteuid() != 0) {  // only root can be somebody else
    WARN("not tested: needs root");
    return;
  }
  const TempDir folder;
  REQUIRE(::seteuid(65534) == 0);
  const auto lock = DataLock::take({folder.path()});
  REQUIRE(::seteuid(0) == 0);
  REQUIRE_FALSE(lock);
  CHECK_THAT(lock.error().message, Catch::EndsWith("run this as the user that the data directory belongs to"));
}

TEST_CASE("init leaves a directory alone that another process holds", "[app][lock]") {
  TempDir folder;
  app::InitOrder order;
  order.data = {folder.path("")};
  order.trust_domain = "relay.test";
  order.organisation = "acme";
  order.owner_name = "you";
  order.owner_email = "you@acme.test";
  order.settings.api_url = "https://localhost:8443";
  order.settings.link_address = {"localhost", 8444};
  Holder holder(order.data);
  const auto refused = app::init(order, SystemClock());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::conflict);
  CHECK(refused.error().message.find(std::to_string(holder.pid())) != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(order.data.database()));
  CHECK_FALSE(std::filesystem::exists(order.data.master_key()));
  holder.kill();
  CHECK(app::init(order, SystemClock()));
  CHECK(DataLock::take(order.data));  // init lets go of it
}
