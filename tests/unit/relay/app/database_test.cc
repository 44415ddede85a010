#include "relay/app/database.h"

#include "relay/app/owner_token.h"
#include "relay/app/private_data.h"
#include "relay/app/relay.h"
#include "tests/support/async_test.h"
#include "tests/unit/relay/app/made_relay.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <sys/stat.h>

// A relay without its database, or with files that others may read, does not come up.
using namespace sallyport;
using namespace sallyport::app;
using namespace sallyport::test;
namespace fs = std::filesystem;

namespace {

class NoSink final : public LogSink {
 public:
  void write(std::string_view) override {}
};

template <class T>
void refuses(const Result<T>& result, Errc code, std::string_view says) {
  REQUIRE_FALSE(result);
  CHECK(result.error().code == code);
  CHECK_THAT(result.error().message, Catch::Contains(std::string(says)));
}

Result<void> serve(const InitOrder& order) {
  NoSink sink;
  app::LogFiles files({order.data.logs(), 1u << 20}, kClock, sink);
  return app::serve(order.data, order.settings, kClock, Log(sink, kClock, LogLevel::error), files);
}

boost::asio::awaitable<void> ask_whether_inhabited(store::Stores stores, DataDirectory data, Result<void>& answer) {
  answer = co_await check_inhabited(stores.organisations, std::move(data));
}

Result<void> inhabited(const DataDirectory& data) {
  auto database = store::SqliteStore::open({.file = data.database()});
  REQUIRE(database);
  Result<void> answer;
  run(ask_whether_inhabited((*database)->stores(), data, answer));
  return answer;
}

}  // namespace

TEST_CASE("a relay whose database is gone or empty is not served, and nothing is made in its place", "[app][serve]") {
  const TempDir folder;
  const auto order = made_relay(folder);
  CHECK(open_database(order.data));  // positive control
  const auto file = order.data.database();
  fs::rename(file, folder.path("saved.db"));
  refuses(serve(order), Errc::unavailable, "restore relay.db from a backup");
  refuses(make_owner_token({order.data, "ada@acme.example", ""}, kClock), Errc::unavailable, "is missing or empty");
  CHECK_FALSE(fs::exists(file));
  folder.write("relay/relay.db", "");
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  refuses(serve(order), Errc::unavailable, "is missing or empty");
  CHECK(fs::file_size(file) == 0);
  fs::rename(folder.path("saved.db"), file);
  CHECK(make_owner_token({order.data, "ada@acme.example", ""}, kClock));
}

TEST_CASE("a database without an organisation is not the one that init made", "[app][serve]") {
  const TempDir folder;
  const auto order = made_relay(folder);
  CHECK(inhabited(order.data));
  fs::remove(order.data.database());
  refuses(inhabited(order.data), Errc::unavailable, "holds no organisation");
  refuses(serve(order), Errc::unavailable, "holds no organisation");
}

TEST_CASE("what others may read is refused, each with its command", "[app][serve]") {
  const TempDir folder;
  const auto order = made_relay(folder);
  CHECK(check_private(order.data));
  const std::pair<const char*, ::mode_t> rows[] = {
      {"", 0700}, {"/deployment", 0700}, {"/keys", 0700}, {"/relay.db", 0600}, {"/first-owner.token", 0600}};
  for (const auto& [part, mode] : rows) {
    const auto path = order.data.root.string() + part;
    for (const ::mode_t others : {0040, 0004, 0020, 0001}) {
      INFO(path << " with " << others);
      REQUIRE(::chmod(path.c_str(), mode | others) == 0);
      refuses(check_private(order.data), Errc::forbidden, fmt::format("chmod {:o} {}", mode, path));
      REQUIRE(::chmod(path.c_str(), mode) == 0);
    }
  }
  CHECK(check_private(order.data));
  REQUIRE(::chmod(order.data.root.c_str(), 0755) == 0);
  REQUIRE(::chmod(order.data.database().c_str(), 0644) == 0);
  const auto both = serve(order);
  refuses(both, Errc::forbidden, "chmod 700 " + order.data.root.string() + "\n");
  CHECK_THAT(both.error().message, Catch::Contains("chmod 600 " + order.data.database().string()));
}
