#include "tests/unit/agent/runner/engine_bench.h"

#include "proto/sallyport/v1/jobs.pb.h"
#include "shared/async/timeout.h"
#include "shared/recipe/loader.h"
#include "tests/unit/shared/execution/job_script.h"

#include <boost/asio/this_coro.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::runner::test {

// ---------------------------------------------------------------- actions and triggers

connectors::StepResult<connectors::Output> FakeAction::run(const connectors::StepContext& context,
                                                           const Value& arguments) {
  {
    std::unique_lock lock(mutex_);
    keys_.emplace_back(context.idempotency_key);
    ++begun_;
    if (!changed_.wait(lock, context.stop, [this] { return !held_; }))
      return connectors::step_fail("cancelled", "stopped");
  }
  return act_ ? act_(context, arguments) : gives(Value());
}

void FakeAction::hold() {
  const std::lock_guard lock(mutex_);
  held_ = true;
}

void FakeAction::release() {
  const std::lock_guard lock(mutex_);
  held_ = false;
  changed_.notify_all();
}

std::vector<std::string> FakeAction::keys() const {
  const std::lock_guard lock(mutex_);
  return keys_;
}

void FakeTrigger::happen(std::string path, std::string natural_key, std::optional<std::string> after) {
  events_.push_back({Value(ValueMap{{"file", Handle{"file", {{"path", path}, {"name", path}}}}}),
                     std::move(natural_key), std::move(after), comes_once});
}

asio::awaitable<connectors::StepResult<void>> FakeTrigger::run(connectors::TriggerSpec spec,
                                                               connectors::TriggerSink sink, Trouble trouble) {
  cursor = spec.cursor;
  struct Counted {
    int& count;
    explicit Counted(int& c) : count(++c) {}
    ~Counted() { --count; }
  };
  const Counted counted(watching);
  for (;;) {
    for (auto& [concern, message] : std::exchange(troubles_, {})) co_await trouble(concern, std::move(message));
    while (!events_.empty()) {
      const auto outcome = co_await sink(events_.front());
      if (!outcome) break;
      events_.erase(events_.begin());
      ++taken;
    }
    co_await sleep_for(std::chrono::milliseconds(1));
  }
}

// ---------------------------------------------------------------- the uplink

asio::awaitable<Result<void>> FakeUplink::send(std::string message) {
  if (broken) co_return fail(Errc::unavailable, "the line is cut");
  sent.push_back(std::move(message));
  co_return Result<void>();
}

namespace {

std::string line_of_report(const v1::Report& r) {
  std::string what;
  switch (r.body_case()) {
    case v1::Report::kJobStarted: what = "job_started " + r.job_started().trigger_kind(); break;
    case v1::Report::kStepStarted: what = "step_started " + r.step_started().path(); break;
    case v1::Report::kStepFinished: what = r.step_finished().status() + " " + r.step_finished().path(); break;
    case v1::Report::kStepLog: what = "log " + r.step_log().text(); break;
    case v1::Report::kJobFinished: what = "job_finished " + r.job_finished().status(); break;
    case v1::Report::kAgentEvent: what = "event " + r.agent_event().kind() + " " + r.agent_event().rule(); break;
    case v1::Report::BODY_NOT_SET: what = "nothing"; break;
  }
  return fmt::format("report {} {}#{}/{} {}", r.seq(), r.job_id(), r.lease_epoch(), r.job_seq(), what);
}

std::string line_of(const std::string& raw) {
  v1::ToRelay message;
  if (!message.ParseFromString(raw)) return "garbage";
  switch (message.body_case()) {
    case v1::ToRelay::kHolding: {
      std::string line = fmt::format("holding r{}", message.holding().assignments_revision());
      for (const auto& lease : message.holding().jobs())
        line += fmt::format(" {}#{}", lease.job_id(), lease.lease_epoch());
      return line;
    }
    case v1::ToRelay::kReady: return fmt::format("ready {}", message.ready().slots());
    case v1::ToRelay::kAnswer: {
      const auto& answer = message.answer();
      return fmt::format("answer {}#{} {}", answer.job_id(), answer.lease_epoch(),
                         answer.accepted() ? "yes" : "no " + answer.error_class());
    }
    case v1::ToRelay::kReport: return line_of_report(message.report());
    case v1::ToRelay::kHealth: {
      std::string line = "health";
      for (const auto& use : message.health().connections())
        line += fmt::format(" {}={}:{}", use.name(), use.health(), use.error_class());
      return line;
    }
    case v1::ToRelay::BODY_NOT_SET: break;
  }
  return "nothing";
}

}  // namespace

std::vector<std::string> FakeUplink::lines() const {
  std::vector<std::string> lines;
  for (const auto& raw : sent) lines.push_back(line_of(raw));
  return lines;
}

std::vector<std::string> FakeUplink::lines_with(const std::string& text) const {
  auto all = lines();
  std::erase_if(all, [&](const std::string& line) { return line.find(text) == std::string::npos; });
  return all;
}

std::uint64_t FakeUplink::last_seq() const {
  std::uint64_t seq = 0;
  for (const auto& raw : sent) {
    v1::ToRelay message;
    if (message.ParseFromString(raw) && message.has_report())
      seq = std::max<std::uint64_t>(seq, message.report().seq());
  }
  return seq;
}

std::uint64_t FakeUplink::last_holding() const {
  std::uint64_t number = 0;
  for (const auto& raw : sent) {
    v1::ToRelay message;
    if (message.ParseFromString(raw) && message.has_holding()) number = message.holding().number();
  }
  return number;
}

// ---------------------------------------------------------------- the bench

EngineBench::EngineBench(asio::any_io_executor executor, EngineOptions options)
    : executor_(std::move(executor)), options_(std::move(options)) {
  options_.agent = {"agent-1"};
  options_.disk_retry = std::chrono::milliseconds(10);
}

EngineBench::~EngineBench() = default;

void EngineBench::KeptLog::write(std::string_view line) {
  const std::lock_guard lock(mutex_);
  lines_.emplace_back(line);
}

std::vector<std::string> EngineBench::KeptLog::lines() const {
  const std::lock_guard lock(mutex_);
  return lines_;
}

asio::awaitable<void> EngineBench::open() {
  auto options = journal::test::options_in(dir);
  options.max_outbox_rows = max_outbox_rows;
  auto opened = journal::test::must_open(std::move(options));
  const auto unfinished = opened->unfinished().value();
  spool =
      journal::Spool::open(dir / "spool", journal::test::test_key(), {unfinished.begin(), unfinished.end()}).value();
  journal = std::make_unique<journal::JournalWriter>(executor_, std::move(opened));
  auto actions = more_actions;
  for (auto* fake : {&list, &move, &command, &csv}) actions.push_back(fake);
  auto triggers = more_triggers;
  triggers.push_back(&trigger);
  engine = std::make_unique<Engine>(executor_,
                                    EngineParts{.journal = *journal,
                                                .spool = *spool,
                                                .actions = std::move(actions),
                                                .triggers = std::move(triggers),
                                                .openers = openers,
                                                .secret = secret,
                                                .clock = clock,
                                                .boot_clock = clock,
                                                .log = log_,
                                                .connections = connections},
                                    options_);
  const auto started = co_await engine->start();
  REQUIRE(started);
}

asio::awaitable<void> EngineBench::close() {
  co_await link_down();
  if (engine) co_await engine->stop();
  engine.reset();
  journal.reset();
  spool.reset();
}

asio::awaitable<void> EngineBench::link_up() {
  co_await link_down();
  uplink = std::make_unique<FakeUplink>();
  uplink->health = relay_takes_health;
  serving_ = std::make_unique<TaskGroup>(executor_, [](const std::string&, const std::string&) {});
  serving_->spawn("serve", engine->serve(*uplink));
  co_await until([this] { return uplink->has("ready"); }, "the agent says hello");
}

asio::awaitable<void> EngineBench::open_in_step(std::string recipe_json) {
  co_await open();
  co_await link_up();
  list.hold();
  co_await say(dispatch(recipe_json));
  co_await until([this] { return list.begun() == 1; }, "the first step runs");
}

asio::awaitable<void> EngineBench::link_down() {
  if (!serving_) co_return;
  serving_->stop();
  co_await serving_->join();
  serving_.reset();
}

asio::awaitable<Result<void>> EngineBench::try_say(std::string to_agent) {
  v1::ToAgent message;
  if (uplink && message.ParseFromString(to_agent)) {
    const auto newest = uplink->last_holding();
    if (message.has_dispatch() && message.dispatch().holding() == 0) message.mutable_dispatch()->set_holding(newest);
    if (message.has_leases() && message.leases().holding() == 0) message.mutable_leases()->set_holding(newest);
    if (message.has_dispatch() || message.has_leases()) to_agent = message.SerializeAsString();
  }
  const auto bytes = as_bytes(to_agent);
  co_return co_await engine->on_message(Bytes(bytes.begin(), bytes.end()));
}

asio::awaitable<void> EngineBench::say(std::string to_agent) {
  const auto taken = co_await try_say(std::move(to_agent));
  REQUIRE(taken);
}

// ---------------------------------------------------------------- what the relay says

std::string canonical(const std::string& steps, const std::string& head) {
  return recipe::to_canonical(*load("recipe: test\nrun_on: dc1\n" + head + steps));
}

std::string dispatch(const std::string& recipe_json, DispatchOptions options) {
  v1::ToAgent message;
  auto* body = message.mutable_dispatch();
  body->set_job_id(options.job);
  body->set_lease_epoch(options.epoch);
  body->set_lease_ms(options.lease_ms);
  body->set_holding(options.holding);
  body->set_recipe_id(kRecipe1);
  body->set_recipe_version(1);
  if (options.mode == journal::Mode::real) {
    body->set_recipe_json(recipe_json);
  } else {
    body->set_dry_run_json(recipe_json);
  }
  body->set_trigger_json(options.trigger_json);
  body->set_run_number(1);
  body->set_no_payload(options.payload == journal::Payload::none);
  for (const auto& [path, output] : options.done) {
    auto* step = body->add_done();
    step->set_path(path);
    step->set_attempt(1);
    step->set_status("succeeded");
    step->set_output_json(output);
    step->set_plan(options.plan);
  }
  return message.SerializeAsString();
}

std::string cancel(const std::string& job, std::uint64_t epoch) {
  v1::ToAgent message;
  message.mutable_cancel()->set_job_id(job);
  message.mutable_cancel()->set_lease_epoch(epoch);
  message.mutable_cancel()->set_reason("asked");
  return message.SerializeAsString();
}

std::string leases(const std::string& job, std::uint64_t renewed_epoch, std::uint64_t fenced_epoch,
                   std::uint32_t lease_ms, std::uint64_t holding) {
  v1::ToAgent message;
  const auto add = [&](auto* lease, std::uint64_t epoch) {
    lease->set_job_id(job);
    lease->set_lease_epoch(epoch);
    lease->set_lease_ms(lease_ms);
  };
  auto* body = message.mutable_leases();
  body->set_holding(holding);
  if (renewed_epoch > 0) add(body->add_renewed(), renewed_epoch);
  if (fenced_epoch > 0) add(body->add_fenced(), fenced_epoch);
  return message.SerializeAsString();
}

std::string acked(std::uint64_t seq) {
  v1::ToAgent message;
  message.mutable_acked()->set_seq(seq);
  return message.SerializeAsString();
}

std::string assignments(std::uint64_t revision, const std::vector<std::string>& recipes, journal::Payload payload) {
  v1::ToAgent message;
  auto* body = message.mutable_assignments();
  body->set_revision(revision);
  for (std::size_t i = 0; i < recipes.size(); ++i) {
    auto* one = body->add_recipes();
    one->set_recipe_id(kRecipe1.substr(0, kRecipe1.size() - 1) + std::to_string(i + 1));
    one->set_recipe_version(1);
    one->set_recipe_json(recipes[i]);
    one->set_no_payload(payload == journal::Payload::none);
  }
  return message.SerializeAsString();
}

asio::awaitable<void> until(std::function<bool()> condition, std::string what) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) {
      FAIL("waited in vain until " << what);
    }
    co_await sleep_for(std::chrono::milliseconds(1));
  }
}

asio::awaitable<void> pause(std::chrono::milliseconds length) { co_await sleep_for(length); }

}  // namespace sallyport::runner::test
