#include "relay/app/key_restore.h"

#include "relay/app/key_ring.h"
#include "relay/keys/backups.h"
#include "relay/keys/key_wrap.h"
#include "relay/keys/layered_envelope.h"
#include "relay/store/sqlite/database.h"
#include "relay/store/sqlite/sqlite_store.h"
#include "shared/crypto/new_id.h"
#include "tests/support/async_test.h"
#include "tests/support/pki.h"
#include "tests/unit/relay/app/made_relay.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

using namespace sallyport;
using namespace sallyport::app;
using namespace sallyport::test;
using namespace std::chrono_literals;
using boost::asio::awaitable;
using store::RetentionLane;
namespace fs = std::filesystem;

namespace {

const RetentionLane kLane{"payload", 24};

// What was sealed before keys.db is lost: a standing field, and the key of an hour.
struct Sealed {
  OrgId org;
  Bytes standing, hour_key;
};

// A relay whose keys are used, offline.
struct Site {
  Site() : data(made_relay(folder).data), settings(must(load_settings(data.settings()))) {}

  // Runs `body(hierarchy, envelope, backups)` on the relay's keys as they are.
  template <class Body>
  void with_keys(Body body) {
    run(opened(std::move(body)));
  }
  Sealed seal() {
    Sealed sealed{.org = crypto::new_id<OrgId>(kClock), .standing = {}, .hour_key = {}};
    with_keys([&](auto& keys, auto& envelope, auto&) -> awaitable<void> {
      sealed.standing = must(co_await envelope.seal(identity(sealed), as_bytes("standing")));
      const auto key = must(co_await keys.hour_for_writing(sealed.org, kLane, kHour));
      sealed.hour_key.assign(key.key.key->bytes().begin(), key.key.key->bytes().end());
    });
    return sealed;
  }
  keys::Backup back_up() {
    keys::Backup made;
    with_keys([&](auto&, auto&, auto& backups) -> awaitable<void> { made = must(co_await backups.make()); });
    return made;
  }
  void turn() {
    with_keys([](auto& keys, auto&, auto&) -> awaitable<void> { must(co_await keys.shred({})); });
  }
  bool reads_standing(const Sealed& sealed) {
    bool read = false;
    with_keys([&](auto&, auto& envelope, auto&) -> awaitable<void> {
      const auto opened = co_await envelope.open(identity(sealed), sealed.standing);
      read = opened && opened->reveal() == "standing";
    });
    return read;
  }
  bool has_hour(const Sealed& sealed) {
    bool has = false;
    with_keys([&](auto& keys, auto&, auto&) -> awaitable<void> {
      const auto key = co_await keys.hour(sealed.org, kLane, kHour);
      has = key && std::ranges::equal(key->key->bytes(), sealed.hour_key);
    });
    return has;
  }
  fs::path file(const keys::Backup& backup) const { return data.keys() / "backups" / keys::backup_name(backup); }
  // A job has a key under that of the hour.
  void needs_hour(const OrgId& org, const std::string& name) const {
    auto database = must(store::sqlite::Database::open(data.database(), store::sqlite::Access::read_write));
    must(database.script("pragma foreign_keys = off"));
    must(database.run("insert into organisations (id, name, created_at) values (?, ?, 0)", org, name));
    must(database.run("insert into job_keys (org, job, kind, hours, hour, wrapped) values (?, 'job_1', ?, ?, ?, x'00')",
                      org, kLane.kind, kLane.hours, kHour));
  }
  store::Hour hour_written(const Sealed& sealed) {
    store::Hour hour = 0;
    with_keys([&](auto& keys, auto&, auto&) -> awaitable<void> {
      hour = must(co_await keys.hour_for_writing(sealed.org, kLane, kHour)).hour;
    });
    return hour;
  }
  // What the ledgers will be told.
  std::vector<std::string> notes() const {
    auto database = must(store::sqlite::Database::open(data.key_database(), store::sqlite::Access::read_only));
    return must(database.prepare("select org, detail from restore_notes order by id").all([](store::sqlite::Row row) {
      const auto org = row.text();
      return (org.empty() ? "system" : org) + ": " + row.text();
    }));
  }
  void lose_keys() const {
    for (const auto* log : {"", "-wal", "-shm"}) fs::remove(data.key_database().string() + log);
  }
  Result<std::string> restore(const fs::path& from = {}, Loss loss = Loss::refused) const {
    return restore_keys(data, from, loss, kClock);
  }

  static constexpr store::Hour kHour = 490'000;
  TempDir folder;
  DataDirectory data;
  Settings settings;

  static keys::RecordIdentity identity(const Sealed& sealed) {
    return {sealed.org, "issuing_cas", "private_key", sealed.org.value};
  }

 private:
  template <class Body>
  awaitable<void> opened(Body body) {
    const auto on = co_await boost::asio::this_coro::executor;
    const auto shelf = must(open_key_backups(data, settings));
    auto ring = must(open_keys(data, settings.keys, kClock));
    const auto database = must(store::SqliteStore::open({.file = data.database()}));
    const auto stores = database->stores();
    FdSink sink(2);
    const Log log(sink, kClock, LogLevel::error);
    Metrics metrics;
    keys::Hierarchy hierarchy(on, {.store = ring.store->keys(),
                                   .provider = *ring.provider,
                                   .anchor = ring.anchor,
                                   .memory = *ring.memory,
                                   .clock = kClock,
                                   .witnesses = &stores.key_witnesses});
    keys::LayeredEnvelope envelope(hierarchy, stores.job_keys);
    keys::Backups backups(on, {ring.store->copies(), kClock, log, metrics, [] { return std::optional(kClock.wall()); }},
                          {shelf, 1h, 1h});
    co_await body(hierarchy, envelope, backups);
  }
};

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("the newest backup gives back every key, whatever became of keys.db", "[app][keys]") {
  Site site;
  const auto sealed = site.seal();
  site.turn();
  site.back_up();
  const bool damaged = GENERATE(false, true);
  site.lose_keys();
  if (damaged) std::ofstream(site.data.key_database()) << "no database";
  const auto told = must(site.restore());
  CHECK(contains(told, "Every key that relay.db needs is in it"));
  CHECK(fs::exists(site.data.key_database().string() + ".replaced") == damaged);
  CHECK(contains(told, "keys.db.replaced") == damaged);
  CHECK(site.reads_standing(sealed));
  CHECK(site.has_hour(sealed));
  CHECK_FALSE(fs::exists(site.data.key_database().string() + ".restored"));
}

TEST_CASE("a log whose keys.db is gone is not taken for the log of what is restored", "[app][keys]") {
  Site site;
  const auto sealed = site.seal();
  site.back_up();
  fs::rename(site.data.key_database(),
             site.data.key_database().string() + ".replaced");  // here a restore was cut short
  const auto log = site.data.key_database().string() + "-wal";
  std::ofstream(log) << "of another database";
  CHECK_FALSE(open_keys(site.data, site.settings.keys, kClock));
  must(site.restore());
  CHECK_FALSE(fs::exists(log));
  CHECK(fs::exists(site.data.key_database().string() + ".replaced-wal"));
  CHECK(site.has_hour(sealed));
}

TEST_CASE("a backup of before the last turn gives back standing fields alone, once that is accepted", "[app][keys]") {
  Site site;
  const auto sealed = site.seal();
  const auto old = site.file(site.back_up());
  site.turn();
  site.lose_keys();
  const auto refused = site.restore(old);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::conflict);
  CHECK(contains(refused.error().message, "is of epoch 0, and the anchor is of epoch 1"));
  CHECK_FALSE(fs::exists(site.data.key_database()));
  const auto told = must(site.restore(old, Loss::accepted));
  CHECK(contains(told, "without the keys of hours"));
  CHECK(site.reads_standing(sealed));
  CHECK_FALSE(site.has_hour(sealed));
  CHECK(fs::exists(old));
  site.turn();  // and it goes on
  CHECK(site.notes() ==
        std::vector<std::string>{R"(system: {"backup":")" + old.filename().string() + R"(","organisations":0})"});
}

TEST_CASE("hours whose keys are lost in a restore get none again, and who needs them is told", "[app][keys]") {
  Site site;
  const auto sealed = site.seal();
  site.needs_hour(sealed.org, "umbra");
  const auto old = site.file(site.back_up());
  site.turn();
  const auto refused = site.restore(old).error().message;
  INFO(refused);
  CHECK(
      contains(refused,
               "Keys of hours that relay.db needs are not in it (1, from 2025-11-24T16:00Z to 2025-11-24T16:00Z): what "
               "jobs left under them (1 keys of jobs) cannot be read, for good. Whose: umbra (org_"));
  const auto told = must(site.restore(old, Loss::accepted));
  CHECK(contains(told, "Whose: umbra (" + sealed.org.value + ")"));
  CHECK(site.hour_written(sealed) == Site::kHour + 1);
  CHECK_FALSE(site.has_hour(sealed));
  const auto lost = R"("first_lost_hour":"2025-11-24T16:00Z","last_lost_hour":"2025-11-24T16:00Z","lost_hours":1)";
  const auto backup = R"({"backup":")" + old.filename().string() + R"(",)" + lost;
  CHECK(site.notes() == std::vector<std::string>{"system: " + backup + R"(,"organisations":1})",
                                                 sealed.org.value + ": " + backup + "}"});
}

TEST_CASE("an hour whose key was made after the backup gets none again", "[app][keys]") {
  Site site;
  const auto made = site.file(site.back_up());  // of the anchor as it is
  const auto sealed = site.seal();
  site.needs_hour(sealed.org, "umbra");
  site.lose_keys();
  const auto told = must(site.restore(made, Loss::accepted));
  CHECK(contains(told, "Keys of hours that relay.db needs are not in it (1, "));
  CHECK(site.hour_written(sealed) == Site::kHour + 1);
  CHECK_FALSE(site.has_hour(sealed));
}

TEST_CASE("who restores without need is told that keys.db is whole", "[app][keys]") {
  Site site;
  const auto sealed = site.seal();
  const auto old = site.file(site.back_up());
  site.turn();
  const auto needless = site.restore(old);
  REQUIRE_FALSE(needless);
  CHECK(contains(needless.error().message, "keys.db, as it is, has every key that relay.db needs"));
  CHECK_FALSE(contains(needless.error().message, "--accept-loss"));
  CHECK(left_by_restore(site.data).empty());
  site.lose_keys();
  CHECK(contains(site.restore(old).error().message, "say --accept-loss"));
  std::ofstream(site.data.key_database()) << "no database";
  CHECK(contains(site.restore(old).error().message, "say --accept-loss"));
}

TEST_CASE("a backup that lacks standing keys is refused with what they are, until that is accepted", "[app][keys]") {
  Site site;
  const auto sealed = site.seal();
  const auto old = site.file(site.back_up());
  const auto later = site.seal();  // an organisation whose first key is in no backup
  site.with_keys([&](auto& keys, auto&, auto&) -> awaitable<void> {
    must(co_await keys.rotate_tenant(sealed.org));
    must(co_await keys.tenant(sealed.org));
    must(co_await keys.witnesses()->set_attached(later.org, {.version = 1, .kind = "file"}));
  });
  const auto before = fs::last_write_time(site.data.key_database());
  const auto refused = site.restore(old);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::conflict);
  INFO(refused.error().message);
  CHECK(contains(refused.error().message, "The newest versions of keys are not in it"));
  const auto [first, second] = std::minmax(sealed.org.value, later.org.value);
  CHECK(contains(refused.error().message, fmt::format("Whose keys: {}, {}.", first, second)));
  CHECK(contains(refused.error().message, "Own keys of organisations, attached since then, are not in it"));
  CHECK(contains(refused.error().message, "say --accept-loss"));
  CHECK(fs::last_write_time(site.data.key_database()) == before);

  const auto told = must(site.restore(old, Loss::accepted));
  CHECK(contains(told, "The newest versions of keys are not in it"));
  CHECK(site.reads_standing(sealed));  // that was sealed under the version which the backup has
  site.with_keys([&](auto& keys, auto& envelope, auto&) -> awaitable<void> {
    const auto next = must(co_await keys.tenant(sealed.org));
    CHECK(next.version == 3);
    const auto gone = co_await envelope.open(Site::identity(later), later.standing);
    REQUIRE_FALSE(gone);
    CHECK(gone.error().code == Errc::unavailable);  // its own key is missed
    must(co_await keys.witnesses()->set_attached(later.org, {}));
    keys.forget(later.org);  // also that it could not be had
    const auto lost = co_await keys.tenant(later.org, 1);
    REQUIRE_FALSE(lost);
    CHECK(lost.error().code == Errc::not_found);
    const auto second = must(co_await keys.tenant(later.org));
    CHECK(second.version == 2);
  });
  const auto newer = site.file(site.back_up());
  fs::remove(site.data.key_database().string() + ".replaced");
  CHECK(contains(must(site.restore(newer)), "Every key that relay.db needs is in it"));  // what was given up stays so
}

TEST_CASE("a backup in which an own key stands that was detached since is told of as such", "[app][keys]") {
  Site site;
  const auto sealed = site.seal();
  site.with_keys([&](auto& keys, auto&, auto&) -> awaitable<void> {
    auto fresh = must(keys::random_key(keys.memory()));
    keys::HeldKey own{std::make_shared<const keys::LockedKey>(std::move(fresh)), kClock.steady() + 1h, 1};
    store::OwnKey row{.version = 1,
                      .kind = "file",
                      .place = "{}",
                      .credentials = {},
                      .wrapped = Bytes(32),
                      .attached_at = kClock.wall()};
    must(co_await keys.change_attachment(sealed.org, std::nullopt, keys::Hierarchy::Attached{own, row}));
    must(co_await keys.witnesses()->set_attached(sealed.org, {.version = 1, .kind = "file"}));
  });
  const auto backup = site.file(site.back_up());
  const auto stands = must(site.restore(backup));
  CHECK_FALSE(contains(stands, "detached since then"));
  fs::remove(site.data.key_database().string() + ".replaced");
  site.with_keys([&](auto& keys, auto&, auto&) -> awaitable<void> {
    must(co_await keys.witnesses()->set_attached(sealed.org, {}));
  });
  const auto back = must(site.restore(backup));
  CHECK(contains(back, "Every key that relay.db needs is in it"));
  CHECK(contains(back, "Own keys of organisations, detached since then"));
  CHECK(contains(back, "detach --give-up): " + sealed.org.value));
}

TEST_CASE("a new anchor is made only when it is lost and that is accepted, and no older backup belongs to it",
          "[app][keys]") {
  Site site;
  const auto sealed = site.seal();
  const auto backup = site.file(site.back_up());
  fs::remove(site.data.anchor());
  const auto refused = site.restore();
  REQUIRE_FALSE(refused);
  CHECK(contains(refused.error().message, "there is no anchor"));
  std::ofstream(site.data.anchor()) << "cut";
  fs::permissions(site.data.anchor(), fs::perms::owner_read | fs::perms::owner_write);
  CHECK(contains(site.restore().error().message, "the anchor is damaged"));
  fs::remove(site.data.anchor());
  must(site.restore(backup, Loss::accepted));
  CHECK(site.reads_standing(sealed));
  CHECK_FALSE(site.has_hour(sealed));
  fs::remove(site.data.key_database().string() + ".replaced");
  CHECK_FALSE(site.restore(backup));
}

TEST_CASE("an anchor of the same epoch that is another one is not taken for the backup's", "[app][keys]") {
  Site site;
  site.seal();
  site.back_up();
  fs::remove(site.data.anchor());
  must(keys::Anchor::make(site.data.anchor()));
  CHECK_FALSE(site.restore());
}

TEST_CASE("what is no backup of this relay is refused and changes nothing", "[app][keys]") {
  Site site, other;
  site.seal();
  other.seal();
  const auto own = site.file(site.back_up()), foreign = other.file(other.back_up());
  const auto before = fs::last_write_time(site.data.key_database());
  const auto torn = site.folder / "torn.db";
  fs::copy(own, torn);
  fs::resize_file(torn, fs::file_size(torn) / 2);
  const auto text = site.folder.write("text.db", "no database at all");
  const auto empty = site.folder.write("empty.db", "");
  for (const auto& file : {foreign, torn, fs::path(text), fs::path(empty), site.folder / "absent.db"}) {
    for (const auto loss : {Loss::refused, Loss::accepted}) {
      INFO(file);
      const auto refused = site.restore(file, loss);
      REQUIRE_FALSE(refused);
      CHECK(contains(refused.error().message, file.string()));
      CHECK(fs::last_write_time(site.data.key_database()) == before);
    }
  }
  CHECK(contains(site.restore(foreign).error().message, "was not wrapped by"));
  const auto no_database = site.restore(text).error().message;
  CHECK(contains(no_database, "no backup of keys.db"));
  CHECK_FALSE(contains(no_database, "restore a backup"));
}

TEST_CASE("a restore keeps what there was, once, and goes on where it was cut short", "[app][keys]") {
  Site site;
  const auto sealed = site.seal();
  site.back_up();
  must(site.restore());
  const auto again = site.restore();
  REQUIRE_FALSE(again);
  CHECK(contains(again.error().message, "from an earlier restore"));
  const auto left = left_by_restore(site.data);
  REQUIRE_FALSE(left.empty());
  CHECK(left.front().filename() == "keys.db.replaced");
  CHECK(std::ranges::none_of(left, [](const fs::path& file) { return contains(file.string(), "restored"); }));
  site.lose_keys();  // as after a kill in the middle
  must(site.restore());
  CHECK(site.has_hour(sealed));
}

TEST_CASE("backups of keys lie apart from the data, in a folder of this user alone", "[app][keys]") {
  Site site;
  CHECK(must(open_key_backups(site.data, site.settings)) == site.data.keys() / "backups");
  site.settings.key_backups.directory = (site.data.root / "backups").string();
  fs::create_directory(site.data.root / "backups");
  const auto among = open_key_backups(site.data, site.settings);
  REQUIRE_FALSE(among);
  CHECK(contains(among.error().message, "among the data"));
  site.settings.key_backups.directory = site.folder.path("elsewhere");
  const auto absent = open_key_backups(site.data, site.settings);
  REQUIRE_FALSE(absent);
  CHECK(absent.error().code == Errc::not_found);
  fs::create_directory(site.folder / "elsewhere");
  fs::permissions(site.folder / "elsewhere", fs::perms::owner_all | fs::perms::others_read);
  CHECK_FALSE(open_key_backups(site.data, site.settings));
  fs::permissions(site.folder / "elsewhere", fs::perms::owner_all);
  CHECK(open_key_backups(site.data, site.settings));
}
