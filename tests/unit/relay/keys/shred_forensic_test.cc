#include "tests/unit/relay/keys/world.h"

#include "relay/keys/backups.h"
#include "relay/keys/key_names.h"
#include "relay/keys/key_wrap.h"
#include "relay/keys/sealed_record.h"
#include "relay/store/sqlite/database.h"

#include <fmt/format.h>

#include <set>

using namespace sallyport;
using namespace sallyport::keys;
using namespace sallyport::test;
using namespace std::chrono_literals;

// Somebody who kept every version of every file of the relay, and has today's keys.
namespace {

using store::sqlite::Access;
using store::sqlite::Database;
using store::sqlite::Row;

struct WrappedHour {
  std::string org, kind;
  std::int64_t hours = 0, hour = 0;
  std::uint32_t under = 0;
  Bytes wrapped;
};

struct WrappedJob {
  std::string org, kind;
  std::int64_t hours = 0, hour = 0;
  std::string job;
  Bytes wrapped;
};

struct SealedTrigger {
  std::string org, job;
  Bytes sealed;
};

class Attacker {
 public:
  explicit Attacker(LockedMemory& memory) : memory_(memory) {}

  // Takes a copy of all files but the anchor, and of every backup of the keys.
  void keep(const std::filesystem::path& folder) {
    const auto copy = folder_ / std::to_string(++copies_);
    std::filesystem::create_directory(copy);
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
      if (file.is_regular_file() && file.path().filename() != "anchor")
        std::filesystem::copy(file, copy / file.path().filename());
    }
    for (const auto& file : std::filesystem::directory_iterator(folder / "backups")) {
      std::filesystem::copy(file, folder_ / file.path().filename().string(),
                            std::filesystem::copy_options::skip_existing);
      backups_.insert(file.path().filename().string());
    }
  }
  std::size_t backups() const { return backups_.size(); }

  // The jobs whose data is read with this anchor and global key, from all that was kept.
  std::set<std::string> reads(const LockedKey& anchor, const SharedKey& global) {
    std::set<std::string> read;
    for (int copy = 1; copy <= copies_; ++copy) open_keys(folder_ / std::to_string(copy) / "keys.db", anchor, global);
    for (const auto& backup : backups_) open_keys(folder_ / backup, anchor, global);
    for (int copy = 1; copy <= copies_; ++copy) open_jobs(folder_ / std::to_string(copy));
    for (int copy = 1; copy <= copies_; ++copy) open_data(folder_ / std::to_string(copy), global, read);
    return read;
  }

 private:
  Database database(const std::filesystem::path& file) { return must(Database::open(file, Access::read_write)); }

  void open_keys(const std::filesystem::path& keys, const LockedKey& anchor, const SharedKey& global) {
    auto db = database(keys);
    must(db.prepare("select org, version, wrapped from tenant_keys").all([&](Row row) {
      const auto org = row.text();
      const auto version = row.u32();
      auto key = unwrap_key(memory_, {global->bytes()}, fmt::format("tenant/{}/{}", org, version), row.bytes());
      if (key) tenants_.insert_or_assign({org, version}, *std::move(key));
      return 0;
    }));
    must(db.prepare("select org, kind, hours, position, sealed from ratchets").all([&](Row row) {
      const auto lane = row.text() + "/" + row.text() + "/" + std::to_string(row.integer());
      const auto position = row.integer();
      auto key = unwrap_key(memory_, {anchor.bytes()}, fmt::format("ratchet/{}/{}", lane, position), row.bytes());
      for (std::int64_t hour = position; key && hour < position + 100; ++hour) {
        auto next = must(next_key(memory_, *key));
        ratchets_.insert_or_assign({lane, hour}, *std::move(key));
        key = std::move(next);
      }
      return 0;
    }));
    const auto hours = must(db.prepare("select org, kind, hours, hour, under, wrapped from hour_keys").all([](Row row) {
      WrappedHour key{
          .org = row.text(), .kind = row.text(), .hours = row.integer(), .hour = row.integer(), .wrapped = {}};
      key.under = row.u32();
      key.wrapped = row.bytes();
      return key;
    }));
    for (const auto& hour : hours) {
      const auto lane = fmt::format("{}/{}/{}", hour.org, hour.kind, hour.hours);
      const auto tenant = tenants_.find({hour.org, hour.under});
      const auto ratchet = ratchets_.find({lane, hour.hour});
      if (tenant == tenants_.end() || ratchet == ratchets_.end()) continue;
      auto key = unwrap_key(memory_, {tenant->second.bytes(), ratchet->second.bytes()},
                            fmt::format("hour/{}/{}", lane, hour.hour), hour.wrapped);
      if (key) hours_.insert_or_assign({lane, hour.hour}, *std::move(key));
    }
  }

  void open_jobs(const std::filesystem::path& copy) {
    auto db = database(copy / "relay.db");
    const auto jobs = must(db.prepare("select org, kind, hours, hour, job, wrapped from job_keys").all([](Row row) {
      WrappedJob key{.org = row.text(),
                     .kind = row.text(),
                     .hours = row.integer(),
                     .hour = row.integer(),
                     .job = row.text(),
                     .wrapped = {}};
      key.wrapped = row.bytes();
      return key;
    }));
    for (const auto& job : jobs) {
      const auto hour = hours_.find({fmt::format("{}/{}/{}", job.org, job.kind, job.hours), job.hour});
      if (hour == hours_.end() || job.kind != "payload") continue;
      const store::RetentionLane lane{job.kind, static_cast<std::uint32_t>(job.hours)};
      auto key =
          unwrap_key(memory_, {hour->second.bytes()}, job_key_name(OrgId(job.org), JobId(job.job), lane), job.wrapped);
      if (key) jobs_.insert_or_assign(job.job, *std::move(key));
    }
  }

  void open_data(const std::filesystem::path& copy, const SharedKey& global, std::set<std::string>& read) {
    auto db = database(copy / "relay.db");
    const auto triggers = must(db.prepare("select org, job, sealed_trigger from job_triggers").all([](Row row) {
      SealedTrigger trigger{.org = row.text(), .job = row.text(), .sealed = {}};
      trigger.sealed = row.bytes();
      return trigger;
    }));
    for (const auto& [org, job, sealed] : triggers) {
      const auto key = jobs_.find(job);
      if (key == jobs_.end()) continue;
      const RecordIdentity identity{OrgId(org), "jobs", "trigger", job, KeyClass::payload, JobId(job)};
      const auto opened = open_record({key->second.bytes(), global->bytes()}, must(split_sealed(sealed)), identity);
      if (opened && opened->reveal() == "data of " + job) read.insert(job);
    }
  }

  LockedMemory& memory_;
  TempDir folder_;
  int copies_ = 0;
  std::set<std::string> backups_;
  std::map<std::pair<std::string, std::uint32_t>, LockedKey> tenants_;
  std::map<std::pair<std::string, std::int64_t>, LockedKey> ratchets_, hours_;
  std::map<std::string, LockedKey> jobs_;
};

// Writes that change nothing: they begin when what followed the writes before them is over, so that files stand still.
awaitable<void> let_logs_be_emptied(KeysWorld& world, OrgId org) {
  must(co_await world.stores.job_keys.move(org, {"payload", 2}, {}));
  const auto absent = co_await world.ring.store->keys().rewrap_global_key(99, {});
  CHECK(!absent);
}

}  // namespace

ASYNC_TEST_CASE("shred_forensic: every version of every file and today's keys read nothing that has expired",
                "[keys][shred]") {
  KeysWorld world(co_await boost::asio::this_coro::executor);
  const auto memory = must(LockedMemory::make());
  Attacker attacker(*memory);
  std::filesystem::create_directory(world.folder / "backups");
  std::filesystem::permissions(world.folder / "backups", std::filesystem::perms::owner_all);
  Metrics metrics;
  Backups backups(co_await boost::asio::this_coro::executor,
                  {world.ring.store->copies(), world.clock, world.log, metrics, [&] { return world.clock.wall(); }},
                  {.folder = world.folder / "backups", .keep = std::chrono::days(7), .every = 1h});
  const auto ours = co_await world.settle("ours"), theirs = co_await world.settle("theirs");
  const auto old_anchor = [&] {
    auto copy = must(memory->take());
    std::ranges::copy(world.ring.anchor.key().bytes(), copy.writable().begin());
    return copy;
  }();
  std::vector<KeptJob> all;
  for (int hour = 0; hour < 8; ++hour) {
    for (const auto& org : {ours, theirs}) {
      all.push_back(co_await world.start(org, {.payload = 2h, .logs = 4h}));
      attacker.keep(world.folder.path());
      if (hour % 2 == 0) co_await world.finish(all.back());
      attacker.keep(world.folder.path());
    }
    must(co_await backups.make());
    world.clock.pass(1h);
    co_await world.shred();
    must(co_await backups.make());
    co_await let_logs_be_emptied(world, ours);
    attacker.keep(world.folder.path());
  }
  std::set<std::string> live;
  for (const auto& job : all) {
    const auto data = co_await world.read(job);
    if (data == "data of " + job.job.value) live.insert(job.job.value);
  }
  CHECK(live.size() == 10);  // those that still run, and those that ended within the last two hours
  const auto global = must(co_await world.ring.hierarchy.global());

  CHECK(attacker.backups() == 16);
  CHECK(attacker.reads(world.ring.anchor.key(), global.key) == live);
  const auto with_old = attacker.reads(old_anchor, global.key);  // the control: the one thing that must not be kept
  CHECK(with_old.size() > live.size());
}
