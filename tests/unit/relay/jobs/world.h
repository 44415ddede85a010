#pragma once

#include "relay/jobs/assigner.h"
#include "relay/jobs/journals.h"
#include "relay/jobs/recorder.h"
#include "relay/jobs/service.h"
#include "relay/store/sqlite/sqlite_store.h"
#include "shared/async/task_group.h"
#include "tests/support/async_test.h"
#include "tests/support/fixed_fingerprints.h"
#include "tests/support/pki.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/relay/jobs/faulty_stores.h"

#include <boost/asio/this_coro.hpp>

#include <memory>
#include <set>

// Everything of relay/jobs over a real SQLite store; agents are represented by their links.
namespace sallyport::test {

namespace asio = boost::asio;

// Both clocks stand still until a test moves them.
class ManualClock final : public Clock {
 public:
  SteadyTime steady() const override { return start_ + passed_; }
  WallTime wall() const override { return wall_ + passed_; }
  void advance(std::chrono::milliseconds by) { passed_ += by; }

 private:
  SteadyTime start_ = std::chrono::steady_clock::now();
  WallTime wall_ = SystemClock().wall();
  std::chrono::milliseconds passed_{0};
};

// Opens what it sealed for the same record, and nothing else; can be told to fail.
class PlainEnvelope final : public keys::Envelope {
 public:
  awaitable<Result<keys::NewJobKeys>> make_job_keys(OrgId org, JobId job, domain::JobRetention retention) override;
  awaitable<Result<Bytes>> seal(keys::RecordIdentity identity, std::span<const std::byte> plaintext) override;
  awaitable<Result<Bytes>> seal_new(const keys::NewJobKeys& keys, keys::RecordIdentity identity,
                                    std::span<const std::byte> plaintext) override;
  awaitable<Result<Secret>> open(keys::RecordIdentity identity, std::span<const std::byte> sealed) override;
  std::optional<Errc> broken;
  keys::Envelope* real = nullptr;  // does everything instead, when it is there
};

class FakeLink final : public jobs::AgentLink, public jobs::PingedLink {
 public:
  explicit FakeLink(jobs::LinkedAgent who) : who_(std::move(who)) {}
  const jobs::LinkedAgent& who() const override { return who_; }
  Result<void> post(jobs::ToAgent message) override;
  std::size_t room_for_jobs() const override { return room; }
  void pong(std::uint64_t nonce) override { ponged = nonce; }

  template <class T>
  std::vector<T> got() const {
    std::vector<T> found;
    for (const auto& message : posted) {
      if (const auto* one = std::get_if<T>(&message)) found.push_back(*one);
    }
    return found;
  }
  std::vector<jobs::ToAgent> posted;
  std::optional<Error> refuses;  // what post() says
  std::size_t room = 1'000'000;  // for so many jobs more
  std::uint64_t ponged = 0;

 private:
  jobs::LinkedAgent who_;
};

struct MemorySink final : LogSink {
  std::string text;
  void write(std::string_view line) override { text.append(line).append("\n"); }
  bool has(std::string_view word) const { return text.find(word) != std::string::npos; }
};

struct Tenant {
  OrgId org;
  UserId owner;
  GroupId group;    // "dc1"
  AgentId agent;    // in it
  RecipeId recipe;  // "orders", manual, active
};

struct JobsWorld {
  explicit JobsWorld(asio::any_io_executor executor);

  awaitable<Tenant> settle(std::string name);
  awaitable<GroupId> add_group(Tenant tenant, std::string name);
  awaitable<AgentId> add_agent(Tenant tenant, GroupId group);
  awaitable<RecipeId> add_recipe(Tenant tenant, std::string yaml);  // the next version if the name is known; activated
  awaitable<JobId> queue(Tenant tenant, std::optional<RecipeId> recipe = std::nullopt, std::string inputs = "{}");
  awaitable<JobId> local_job(Tenant tenant, RecipeId recipe);  // its agent's own: started by a local trigger, running
  awaitable<store::Job> job(Tenant tenant, JobId id);
  awaitable<std::string> why(store::Job job);  // the message of its error, opened; "" when it has none
  std::unique_ptr<FakeLink> link(const Tenant& tenant) { return link(tenant, tenant.agent, tenant.group); }
  std::unique_ptr<FakeLink> link(const Tenant& tenant, const AgentId& agent, const GroupId& group);

  // Starts the dispatcher's loop; rounds() returns after at least one whole round of it that began after the call.
  void run();
  awaitable<void> rounds();
  awaitable<void> finish();  // before the world dies, if run() was called
  awaitable<bool> until(std::function<bool()> holds);
  void connect(FakeLink& to, std::uint32_t slots);  // link up, holding nothing, ready

  TempDir folder;
  ManualClock clock;
  MemorySink lines;
  Log log{lines, clock, LogLevel::debug};
  FaultPlan faults;
  std::set<OrgId> unreadable;  // organisations whose own key is refused
  std::unique_ptr<store::SqliteStore> engine;
  store::Stores stores;
  FaultyAgents agents;
  FaultyJobs jobs;
  FaultyHistory history;
  FaultyAssignments assignments;
  FaultyGroups groups;
  FaultyAuditLog audit_log;
  PlainEnvelope envelope;
  FixedFingerprints fingerprints;
  sallyport::jobs::VolatilePayloads memory;
  Audit audit;
  sallyport::jobs::LocalJobFeed feed;
  sallyport::jobs::ParcelMaker parcels;
  sallyport::jobs::RecipeOutlines outlines;
  sallyport::jobs::RetentionRules retention;
  sallyport::jobs::Dispatcher dispatcher;
  sallyport::jobs::Journals journals;
  sallyport::jobs::Assigner assigner;
  sallyport::jobs::Recorder recorder;
  sallyport::jobs::StoredJobService service;
  TaskGroup tasks;

 private:
  FakeLink probe_;
  std::uint64_t nonce_ = 0;
};

std::string manual_recipe(std::string_view name, std::string_view more = "");        // three steps: a, b, c
std::string watching_recipe(std::string_view name, std::string_view group = "dc1");  // by schedule

}  // namespace sallyport::test

// Inside: `world`, fresh.
#define SP_JOBS_TEST_(function, ...)                                               \
  static boost::asio::awaitable<void> function(sallyport::test::JobsWorld& world); \
  ASYNC_TEST_CASE(__VA_ARGS__) {                                                   \
    sallyport::test::JobsWorld world(co_await boost::asio::this_coro::executor);   \
    co_await function(world);                                                      \
    co_await world.finish();                                                       \
  }                                                                                \
  static boost::asio::awaitable<void> function([[maybe_unused]] sallyport::test::JobsWorld& world)
#define JOBS_TEST_CASE(...) SP_JOBS_TEST_(INTERNAL_CATCH_UNIQUE_NAME(jobs_test_), __VA_ARGS__)
