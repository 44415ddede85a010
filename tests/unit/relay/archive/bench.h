#pragma once

#include "relay/archive/archiver.h"
#include "relay/archive/directory_place.h"
#include "shared/async/event.h"
#include "tests/unit/relay/keys/world.h"

#include <functional>
#include <set>

// An archiver over real stores, keys and a directory.
namespace sallyport::test {

using namespace std::chrono_literals;

// A directory that can be out of order, as a whole or for one object.
class BreakablePlace final : public archive::Place {
 public:
  explicit BreakablePlace(const std::filesystem::path& root) : real_(must(archive::make_directory_place(root))) {}
  awaitable<Result<void>> put(std::string name, Bytes object) override {
    ++puts;
    if (held_puts != nullptr) co_await held_puts->wait();
    if (broken) co_return fail(*broken, "planted: the archive is out of order");
    const auto put = co_await real_->put(std::move(name), std::move(object));
    if (dies_after_put) co_return fail(Errc::unavailable, "planted: nobody hears that it was put");
    co_return put;
  }
  awaitable<Result<Bytes>> get(std::string name) override {
    if (unread) co_return fail(*unread, "/srv/planted: cannot be read");
    co_return co_await real_->get(std::move(name));
  }
  awaitable<Result<void>> remove(std::string name) override {
    ++removals;
    if (removing) removing();
    if (broken) co_return fail(*broken, "planted: the archive is out of order");
    if (held.contains(name)) co_return fail(Errc::forbidden, "planted: the object is held");
    co_return co_await real_->remove(std::move(name));
  }
  std::string describe() const override { return "planted"; }
  std::optional<Errc> broken;
  std::optional<Errc> unread;
  std::set<std::string> held;  // cannot be removed
  bool dies_after_put = false;
  std::function<void()> removing;  // called with each removal
  Event* held_puts = nullptr;      // they wait for it
  int puts = 0;
  int removals = 0;

 private:
  std::unique_ptr<archive::Place> real_;
};

inline constexpr domain::JobRetention kArchived{.payload = 4h, .logs = 4h, .archive = 48h};

struct Bench : KeysWorld {
  explicit Bench(const asio::any_io_executor& executor) : KeysWorld(executor) {
    auto made = std::make_unique<BreakablePlace>(root);
    place = made.get();
    places.emplace("local", std::move(made));
  }
  awaitable<OrgId> settle_with_archive(std::string name) {
    const auto org = co_await settle(std::move(name));
    must(co_await stores.archive.set_place(org, "local", clock.wall()));
    co_return org;
  }
  awaitable<KeptJob> end_one(OrgId org, domain::JobRetention retention = kArchived) {
    const auto job = co_await start(org, retention);
    co_await finish(job);
    co_return job;
  }
  awaitable<std::size_t> pass() { co_return must(co_await archiver.archive_due()); }
  awaitable<std::uint64_t> waiting() { co_return must(co_await stores.archive.count_waiting()); }
  awaitable<std::string> read_back(KeptJob job) {
    const auto read = co_await archiver.read(job.org, job.job);
    co_return read ? std::string(read->reveal()) : std::string(to_string(read.error().code));
  }
  awaitable<std::size_t> told(OrgId org) {
    const auto rows = must(co_await stores.audit_log.list(org, {.action = "job.not_archived"}, {}));
    co_return rows.items.size();
  }
  std::vector<std::filesystem::path> objects() const {
    std::vector<std::filesystem::path> files;
    for (const auto& one : std::filesystem::recursive_directory_iterator(root))
      if (one.is_regular_file()) files.push_back(one.path());
    return files;
  }

  std::filesystem::path root = folder / "archive";
  BreakablePlace* place = nullptr;
  archive::Places places;
  jobs::RecipeOutlines outlines{stores.recipes};
  archive::RecordMaker records{{stores.jobs, stores.history, outlines, ring.envelope}};
  Audit audit{stores.audit_log, clock};
  Metrics metrics;
  archive::Archiver archiver{{stores.archive, stores.jobs, ring.store->keys(), records, ring.hierarchy, places, audit,
                              clock, log, metrics, [this] { return std::optional(clock.wall()); }}};
};

}  // namespace sallyport::test
