#include "relay/keys/anchor.h"
#include "relay/keys/file_provider.h"
#include "relay/keys/layered_envelope.h"
#include "relay/store/sqlite/sqlite_key_store.h"
#include "relay/store/sqlite/sqlite_store.h"
#include "shared/async/run.h"
#include "shared/async/task_group.h"
#include "shared/crypto/aead.h"
#include "shared/crypto/new_id.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <filesystem>
#include <random>

// What the keys cost: the same step records into a SQLite store, sealed and in clear, in turns.
// bench_history FOLDER [ROUNDS]
namespace {

using namespace sallyport;
using store::awaitable;

constexpr int kWriters = 64;            // jobs that report at once
constexpr int kReports = 40;            // of each, one after the other
constexpr std::size_t kSteps = 5;       // records of a report
constexpr std::size_t kPayload = 2048;  // bytes of each output
constexpr int kRecords = kWriters * kReports * static_cast<int>(kSteps);

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

// Seals nothing, and takes the same way.
class ClearEnvelope final : public keys::Envelope {
 public:
  awaitable<Result<keys::NewJobKeys>> make_job_keys(OrgId org, JobId job, domain::JobRetention) override {
    co_return keys::NewJobKeys{.org = std::move(org), .job = std::move(job), .wrapped = {}, .payload = {}, .logs = {}};
  }
  awaitable<Result<Bytes>> seal(keys::RecordIdentity, std::span<const std::byte> plaintext) override {
    co_return Bytes(plaintext.begin(), plaintext.end());
  }
  awaitable<Result<Bytes>> seal_new(const keys::NewJobKeys&, keys::RecordIdentity identity,
                                    std::span<const std::byte> plaintext) override {
    return seal(std::move(identity), plaintext);
  }
  awaitable<Result<Secret>> open(keys::RecordIdentity, std::span<const std::byte> sealed) override {
    co_return Secret::take(std::string(as_text(sealed)));
  }
};

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Figures {
  double per_second = 0;
  double cpu_us = 0;  // of a record
};

class Bench {
 public:
  Bench(boost::asio::any_io_executor loop, std::filesystem::path folder)
      : loop_(std::move(loop)),
        store_(must(store::SqliteStore::open({.file = folder / "relay.db"}))),
        stores_(store_->stores()),
        memory_(must(keys::LockedMemory::make())),
        provider_(must(keys::FileProvider::make(folder / "master.key", crypto::new_aead_key()))),
        keys_(must(store::SqliteKeyStore::open({.file = folder / "keys.db"}))),
        anchor_(made(folder / "anchor")),
        hierarchy_(loop_, {keys_->keys(), provider_, anchor_, *memory_, clock_}),
        sealed_(hierarchy_, stores_.job_keys) {}

  awaitable<Result<void>> run(int rounds) {
    must(co_await keys::Hierarchy::found(keys_->keys(), provider_, clock_));
    co_await settle();
    std::vector<double> ratios;
    fmt::print(
        "| round | sealed records/s | clear records/s | ratio | sealed CPU us/record | clear "
        "|\n|---|---|---|---|---|---|\n");
    for (int round = 1; round <= rounds; ++round) {
      const auto clear = co_await measure(clear_), sealed = co_await measure(sealed_);
      ratios.push_back(sealed.per_second / clear.per_second);
      fmt::print("| {} | {:.0f} | {:.0f} | {:.2f} | {:.1f} | {:.1f} |\n", round, sealed.per_second, clear.per_second,
                 ratios.back(), sealed.cpu_us, clear.cpu_us);
    }
    std::ranges::sort(ratios);
    fmt::print("median ratio {:.2f} (held to 0.60)\n", ratios[ratios.size() / 2]);
    co_return Result<void>();
  }

 private:
  keys::Anchor made(const std::filesystem::path& file) {
    must(keys::Anchor::make(file));
    return must(keys::Anchor::open(file, *memory_, 0));
  }

  awaitable<void> settle() {
    model_.org = crypto::new_id<OrgId>(clock_);
    const auto owner = crypto::new_id<UserId>(clock_);
    model_.group = crypto::new_id<GroupId>(clock_);
    must(co_await stores_.organisations.add({model_.org, "bench", clock_.wall()}));
    must(co_await stores_.users.add(
        model_.org,
        {.id = owner, .org = model_.org, .name = "b", .email = "b@bench.test", .created_at = clock_.wall()}));
    must(co_await stores_.groups.add(model_.org, {model_.group, model_.org, "dc1", clock_.wall()}));
    const auto agent = crypto::new_id<AgentId>(clock_);
    must(co_await stores_.agents.add(
        model_.org,
        {.id = agent, .org = model_.org, .group = model_.group, .name = "a", .enrolled_at = clock_.wall()}));
    const auto applied = must(co_await stores_.recipes.apply(model_.org, {.id_if_new = crypto::new_id<RecipeId>(clock_),
                                                                          .name = "orders",
                                                                          .run_on = "dc1",
                                                                          .trigger = "manual@1",
                                                                          .source_yaml = "-",
                                                                          .canonical_json = "{}",
                                                                          .sha256 = Bytes(32),
                                                                          .created_by = owner,
                                                                          .created_at = clock_.wall()}));
    model_.recipe = applied.recipe.id;
    model_.version = 1;
    model_.agent = agent;
    model_.state = domain::JobState::running;
    model_.trigger_kind = "file.watch";
  }

  awaitable<Figures> measure(keys::Envelope& envelope) {
    const auto begun = clock_.steady();
    const auto cpu = cpu_seconds();
    TaskGroup writers(loop_, [](const auto& task, const auto& why) { throw std::runtime_error(task + ": " + why); });
    for (int writer = 0; writer < kWriters; ++writer) writers.spawn("writer", write_job(envelope));
    co_await writers.join();
    const auto seconds = std::chrono::duration<double>(clock_.steady() - begun).count();
    co_return Figures{kRecords / seconds, (cpu_seconds() - cpu) * 1e6 / kRecords};
  }

  awaitable<void> write_job(keys::Envelope& envelope) {
    store::NewJob fresh{.job = model_};
    fresh.job.id = crypto::new_id<JobId>(clock_);
    fresh.job.created_at = clock_.wall();
    const auto job = fresh.job.id;
    const auto org = fresh.job.org;
    auto keys = must(co_await envelope.make_job_keys(org, job, {}));
    const keys::RecordIdentity trigger{org, "jobs", "trigger", job.value, keys::KeyClass::payload, job};
    fresh.sealed_trigger = must(co_await envelope.seal_new(keys, trigger, as_bytes("{}")));
    fresh.keys = std::move(keys.wrapped);
    must(co_await stores_.jobs.add(org, std::move(fresh)));
    std::uint64_t seq = 0;
    for (int report = 0; report < kReports; ++report) {
      std::vector<store::HistoryEntry> entries;
      for (std::size_t step = 0; step < kSteps; ++step) {
        const auto path = fmt::format("each[{}]", seq);
        store::StepFinished end{.path = path, .attempt = 1};
        end.uses = "sql.execute@1";
        const keys::RecordIdentity output{
            org, "steps", "output", store::step_record(job, path, 1), keys::KeyClass::payload, job};
        end.sealed_output = must(co_await envelope.seal(output, payload_));
        entries.push_back({++seq, clock_.wall(), std::move(end)});
      }
      must(co_await stores_.history.append(org, job, 0, std::move(entries)));
    }
  }

  SystemClock clock_;
  boost::asio::any_io_executor loop_;
  std::unique_ptr<store::SqliteStore> store_;
  store::Stores stores_;
  std::unique_ptr<keys::LockedMemory> memory_;
  keys::FileProvider provider_;
  std::unique_ptr<store::SqliteKeyStore> keys_;
  keys::Anchor anchor_;
  keys::Hierarchy hierarchy_;
  keys::LayeredEnvelope sealed_;
  ClearEnvelope clear_;
  store::Job model_;
  Bytes payload_ = Bytes(kPayload, std::byte{'x'});
};

}  // namespace

int main(int count, char** words) {
  if (count < 2) return 2;
  const std::filesystem::path folder = words[1];
  std::filesystem::create_directories(folder);
  boost::asio::io_context loop(1);
  Bench bench(loop.get_executor(), folder);
  const auto done = run_to_end(loop, bench.run(count > 2 ? std::atoi(words[2]) : 5), "the benchmark");
  if (done) return 0;
  fmt::print(stderr, "{}\n", done.error().message);
  return 1;
}
