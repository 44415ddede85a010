#include "shared/base/json.h"
#include "tests/support/key_ring.h"
#include "tests/unit/relay/jobs/world.h"

#include <algorithm>

using namespace sallyport;
using namespace sallyport::jobs;
using namespace sallyport::test;
using namespace std::chrono_literals;
using domain::JobState;

// What becomes of jobs while a key cannot be had.
namespace {

constexpr Errc kAll[] = {Errc::forbidden,       Errc::not_found, Errc::invalid,   Errc::unavailable,
                         Errc::timed_out,       Errc::exhausted, Errc::too_large, Errc::conflict,
                         Errc::unauthenticated, Errc::internal,  Errc::cancelled};

// Where the master key is kept, which says no in every way there is.
class RefusingProvider final : public keys::Provider {
 public:
  explicit RefusingProvider(std::filesystem::path file)
      : real_(must(keys::FileProvider::make(std::move(file), KeyRing::fixed_key()))) {}
  awaitable<Result<Bytes>> wrap(std::string purpose, Secret key) override {
    if (refuses) co_return fail(*refuses, "planted");
    co_return co_await real_.wrap(std::move(purpose), std::move(key));
  }
  awaitable<Result<Secret>> unwrap(std::string purpose, Bytes wrapped) override {
    if (refuses) co_return fail(*refuses, "planted");
    co_return co_await real_.unwrap(std::move(purpose), std::move(wrapped));
  }
  std::string describe() const override { return "refusing"; }
  std::optional<Errc> refuses;

 private:
  keys::FileProvider real_;
};

// The world's envelope is that of real keys until it dies.
struct RealKeys {
  RealKeys(const asio::any_io_executor& on, JobsWorld& of)
      : world(of),
        provider(of.folder / "master.key"),
        ring(on, of.folder.path(), of.clock, of.stores.job_keys, &provider) {
    world.envelope.real = &ring.envelope;
  }
  ~RealKeys() { world.envelope.real = nullptr; }
  void lose(Errc code) {
    provider.refuses = code;
    world.clock.advance(keys::kKeyLife);  // so long what is in memory serves
  }
  void find() {
    provider.refuses.reset();
    world.clock.advance(keys::kFailureLife);
  }
  JobsWorld& world;
  RefusingProvider provider;
  KeyRing ring;
};

Report report(const JobId& job, std::uint64_t epoch, std::uint64_t seq, decltype(Report::what) what) {
  return {.seq = seq, .job = job, .epoch = epoch, .job_seq = seq, .at_ms = 1'700'000'000'000, .what = std::move(what)};
}

}  // namespace

JOBS_TEST_CASE("jobs of an organisation that cannot be read stay as they are, and go on when it can", "[jobs][pause]") {
  const auto ours = co_await world.settle("ours"), theirs = co_await world.settle("theirs");
  const auto running = co_await world.queue(ours), control = co_await world.queue(theirs);
  auto our_link = world.link(ours), their_link = world.link(theirs);
  world.connect(*our_link, 2);
  world.connect(*their_link, 2);
  world.run();
  co_await world.rounds();
  REQUIRE(our_link->got<Dispatch>().size() == 1);
  REQUIRE(their_link->got<Dispatch>().size() == 1);

  world.unreadable.insert(ours.org);
  const auto waiting = co_await world.queue(ours);
  co_await world.queue(theirs);
  co_await world.rounds();
  CHECK(our_link->got<Dispatch>().size() == 1);  // none is handed out
  CHECK(their_link->got<Dispatch>().size() == 2);
  world.dispatcher.link_down(*their_link);
  world.clock.advance(10min);
  co_await world.rounds();
  auto job = co_await world.job(ours, running);
  CHECK(job.state == JobState::dispatched);  // none is taken back
  CHECK(job.lease_epoch == 1);
  job = co_await world.job(ours, waiting);
  CHECK(job.state == JobState::queued);
  CHECK(job.run_number == 1);  // and none counts as tried
  job = co_await world.job(theirs, control);
  CHECK(job.state == JobState::queued);  // somebody else's is: nobody has heard of its holder

  world.unreadable.clear();
  world.dispatcher.readable_again(ours.org);
  world.clock.advance(119s);  // its agent has a whole lease and failover to be heard
  co_await world.rounds();
  job = co_await world.job(ours, running);
  CHECK(job.state == JobState::dispatched);
  CHECK(job.lease_epoch == 1);
  CHECK(our_link->got<Dispatch>().size() == 2);  // what waited is handed out
  CHECK(our_link->got<Dispatch>().back().lease.job == waiting);
  co_await world.dispatcher.holding(*our_link, {{{running, 1, {}}}, 0, 1});
  REQUIRE(!our_link->got<LeaseAnswer>().empty());
  CHECK(our_link->got<LeaseAnswer>().back().renewed.size() == 1);
}

JOBS_TEST_CASE("without a word that it is readable again an organisation's old leases are lost", "[jobs][pause]") {
  const auto ours = co_await world.settle("ours");
  const auto running = co_await world.queue(ours);
  auto link = world.link(ours);
  world.connect(*link, 1);
  world.run();
  co_await world.rounds();
  world.unreadable.insert(ours.org);
  world.dispatcher.link_down(*link);
  world.clock.advance(10min);
  co_await world.rounds();
  world.unreadable.clear();
  co_await world.rounds();
  const auto job = co_await world.job(ours, running);
  CHECK(job.state == JobState::queued);
}

JOBS_TEST_CASE("whatever the provider says, no report is taken that cannot be kept, and none is lost",
               "[jobs][pause]") {
  RealKeys keys(co_await asio::this_coro::executor, world);
  const auto ours = co_await world.settle("ours");
  auto link = world.link(ours);
  for (const auto code : kAll) {
    INFO(to_string(code));
    const auto id = co_await world.queue(ours);
    must(
        co_await world.stores.jobs.claim(ours.org, id, {link->who().agent, 0, world.clock.wall(), world.clock.wall()}));
    const auto reports = [&] {
      return std::vector{report(id, 1, 1, ReportedStepStart{"a", 1, "log.write@1", R"({"text":"a"})"}),
                         report(id, 1, 2, ReportedLog{"a", "info", "a line"}),
                         report(id, 1, 3, ReportedStepEnd{"a", 1, "succeeded", R"({"n":1})", "", "", std::nullopt}),
                         report(id, 1, 4, ReportedJobEnd{"succeeded", "", "", ""})};
    };
    keys.lose(code);
    const auto refused = co_await world.recorder.record(*link, reports());
    CHECK(!refused);              // nothing is acknowledged: the agent keeps it
    CHECK(link->posted.empty());  // and is not told to drop the job
    auto job = co_await world.job(ours, id);
    CHECK(job.state == JobState::dispatched);
    keys.find();
    must(co_await world.recorder.record(*link, reports()));
    job = co_await world.job(ours, id);
    CHECK(job.state == JobState::succeeded);
    const auto events = must(co_await world.stores.history.events(ours.org, id, {}));
    CHECK(std::ranges::count(events.items, std::string("step.log"), &store::HistoryEvent::kind) == 1);
    CHECK(std::ranges::count(events.items, std::string("job.finished"), &store::HistoryEvent::kind) == 1);
  }
}

// More often than a job may be given out: a key that is away is not the job's fault.
JOBS_TEST_CASE("whatever the provider says, a job that cannot be handed out comes back, and runs when it can",
               "[jobs][pause]") {
  RealKeys keys(co_await asio::this_coro::executor, world);
  const auto ours = co_await world.settle("ours");
  const auto id = co_await world.queue(ours, std::nullopt, R"({"key":"value"})");
  auto link = world.link(ours);
  world.run();
  world.dispatcher.link_up(*link);
  for (const auto code : kAll) {
    INFO(to_string(code));
    keys.lose(code);
    world.dispatcher.ready(*link, 1);
    co_await world.rounds();
    CHECK(link->got<Dispatch>().empty());
    world.dispatcher.ready(*link, 0);
    world.clock.advance(31s);
    co_await world.rounds();
    const auto job = co_await world.job(ours, id);
    CHECK(job.state == JobState::queued);
    CHECK(job.run_number == 1);
  }
  keys.find();
  world.dispatcher.ready(*link, 1);
  co_await world.rounds();
  REQUIRE(link->got<Dispatch>().size() == 1);
  CHECK(link->got<Dispatch>()[0].lease.job == id);
  CHECK(link->got<Dispatch>()[0].run_number == 1);
}
