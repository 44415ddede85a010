#include "agent/runner/job_task.h"

#include "shared/async/blocking.h"
#include "shared/async/timeout.h"
#include "shared/base/json.h"
#include "shared/execution/contexts.h"
#include "shared/recipe/catalogue.h"

#include <algorithm>

#include <utility>

namespace sallyport::runner {
namespace {
constexpr auto kAwakeCheck = std::chrono::seconds(1);
}  // namespace

JobTask::JobTask(EngineCore& core, JobId id, std::uint64_t epoch, std::shared_ptr<JobMemory> memory)
    : core_(core),
      id_(std::move(id)),
      epoch_(epoch),
      changed_(core.executor),
      memory_(std::move(memory)),
      bodies_(std::make_shared<JobBodies>(id_, Spools{core_.parts.spool, core_.memory}, core_.parts.openers)) {}

void JobTask::cancel(std::string reason) {
  if (!cancel_) cancel_ = std::move(reason);
  changed_.set();
}

void JobTask::renew(std::uint64_t epoch, BootTime until) {
  if (epoch != epoch_) return;
  lease_end_ = until;
  changed_.set();
}

void JobTask::raise(std::uint64_t epoch) {
  epoch_ = epoch;
  lease_end_ = BootTime::min();
  reload_ = true;
  changed_.set();
}

void JobTask::interrupt() {
  stop_.request_stop();
  stop_ = std::stop_source();
}

bool JobTask::lease_over() const { return !is_local() && core_.parts.boot_clock.now() >= lease_end_; }

// A timer that was set for the end of the lease comes too late when the machine slept meanwhile.
BootTime JobTask::next_look() const {
  return running_ == 0 ? lease_end_ : std::min(lease_end_, core_.parts.boot_clock.now() + kAwakeCheck);
}

Standing JobTask::standing() const {
  const bool wait =
      core_.draining || core_.suspended || reload_ || fenced_ || lease_over() || core_.parts.journal.outbox_full();
  return wait ? Standing::must_wait : Standing::may_act;
}

void JobTask::inherit(const JobTask& earlier) {
  lease_end_ = earlier.lease_end_;
  cancel_ = earlier.cancel_;
  fenced_ = earlier.fenced_;
  gate_key_ = earlier.gate_key_;
  has_slot_ = earlier.has_slot_;
}

asio::awaitable<void> JobTask::rest(std::chrono::milliseconds length) {
  changed_.clear();
  co_await changed_.wait_until(std::chrono::steady_clock::now() + length);
}

asio::awaitable<void> JobTask::quiesce() {
  if (running_ > 0) interrupt();
  while (running_ > 0) {
    changed_.clear();
    co_await changed_.wait();
  }
}

asio::awaitable<void> JobTask::run() {
  if (co_await load_patiently() && co_await wait_for_turn()) {
    prepare();
    co_await work();
  }
  if (!over_) co_await quiesce();
  if (fenced_ && !over_) co_await abandon();
  leave_lines();
  if (settled()) co_await clean_up();
}

asio::awaitable<Result<void>> JobTask::load() {
  SP_CO_TRY(auto stored, co_await core_.parts.journal.load(id_));
  epoch_ = stored.job.epoch;
  SP_CO_TRY(recipe_, core_.recipes.get(stored.job.recipe_json, stored.job.payload));
  stored.job.recipe_json.clear();
  if (const auto& trigger = memory_->trigger_json()) stored.job.trigger_json = *trigger;
  job_ = stored.job;
  stored_ = std::move(stored);
  co_return Result<void>();
}

// False when there is nothing to run: the job cannot be run, is gone or not ours any more, or the engine drains.
asio::awaitable<bool> JobTask::load_patiently() {
  for (;;) {
    const auto loaded = co_await load();
    if (loaded && (recipe_->keeps_payload() || memory_->trigger_json())) co_return true;
    if (loaded) {
      co_await end_without_payload();
      co_return false;
    }
    const auto& why = loaded.error();
    core_.parts.log.error("job.unreadable", {{"job", id_.value}, {"why", why.message}});
    gone_ = why.code == Errc::not_found;
    if (why.code == Errc::invalid) co_await end_at_once(JobStatus::failed, "invalid", why.message);
    if (gone_ || why.code == Errc::invalid || fenced_ || core_.draining) co_return false;
    co_await sleep_for(core_.options.disk_retry);
  }
}

// What began and has no end may have happened: nobody can find out any more.
bool JobTask::effect_in_doubt() const {
  if (job_.mode == execution::Mode::dry_run) return false;
  return std::ranges::any_of(stored_.intents, [&](const journal::Intent& intent) {
    const auto dot = intent.run.path.rfind('.');
    const auto* step = recipe_->find_step(std::string_view(intent.run.path).substr(dot + 1));  // npos + 1 is 0
    const auto* action = step == nullptr ? nullptr : recipe::find_action(step->uses);
    const bool is_loop = step != nullptr && step->foreach && intent.run.item == journal::kNoItem;
    const bool harmless = is_loop || (action != nullptr && action->repeat == recipe::Repeat::safe);
    return !harmless && std::ranges::none_of(stored_.done, [&](const auto& done) { return done.run == intent.run; });
  });
}

asio::awaitable<void> JobTask::end_without_payload() {
  const bool doubt = effect_in_doubt();
  co_await end_at_once(
      doubt ? JobStatus::in_doubt : JobStatus::failed, "zero_retention",
      std::string(
          "its recipe or its organisation keeps nothing (`payload: none`): what it worked with was only in memory, "
          "and the agent that had it was stopped or lost; ") +
          (doubt ? "a step had begun, and nobody can know whether its effect happened: look at the "
                   "target"
                 : "start it again"));
}

void JobTask::prepare() {
  execution_ =
      std::make_unique<Execution>(recipe_, std::exchange(stored_, {}), core_.options.agent, ports(), core_.now());
}

ExecutionPorts JobTask::ports() {
  ExecutionPorts ports;
  ports.keeps_ledger = [this](std::string_view uses, std::string_view connection, const Value& arguments) {
    const auto* action = core_.find_action(uses);
    return action != nullptr && action->keeps_ledger(connection, arguments);
  };
  if (core_.parts.secret) {
    ports.secret = [this](const recipe::SecretUse& use) -> connectors::StepResult<Secret> {
      SP_TRY(Secret secret, core_.parts.secret(use));
      const auto known = core_.redactor.add(id_.value, secret);
      if (!known) return connectors::step_fail("too_large", known.error().message);
      return secret;
    };
  }
  ports.worker = [this] { return take_worker(); };
  ports.memory = memory_;
  return ports;
}

// ---------------------------------------------------------------- beside other jobs of the recipe

Result<std::string> JobTask::concurrency_key(const recipe::Concurrency& rule) const {
  if (!rule.key) return std::string();
  const Value trigger = parse_stored_json(job_.trigger_json).value_or(Value());
  const auto value = rule.key->evaluate(execution::event_names(*recipe_, job_, trigger));
  if (!value) return fail(Errc::invalid, "`concurrency.key`: " + expr::to_string(value.error()));
  return to_json(*value);
}

asio::awaitable<bool> JobTask::wait_for_turn() {
  const bool counts = job_.mode == execution::Mode::real;  // a dry run keeps no real one out
  if (counts && recipe_->concurrency && !co_await queue(*recipe_->concurrency)) co_return false;
  co_return !is_local() || co_await wait_for_slot();
}

// The relay counts its own jobs' slots; it has no say in when a local trigger starts one.
asio::awaitable<bool> JobTask::wait_for_slot() {
  for (;;) {
    changed_.clear();
    has_slot_ = has_slot_ || core_.local_slots.take(id_);
    if (has_slot_ || cancel_) co_return true;
    if (fenced_ || core_.draining) co_return false;
    co_await changed_.wait();
  }
}

asio::awaitable<bool> JobTask::queue(recipe::Concurrency rule) {
  auto key = concurrency_key(rule);
  if (!key) {
    co_await end_at_once(JobStatus::failed, "invalid", key.error().message);
    co_return false;
  }
  gate_key_ = ConcurrencyGate::Key(job_.recipe, *std::move(key));
  for (;;) {
    changed_.clear();
    const auto entry = core_.gate.enter(*gate_key_, id_, rule);
    if (entry == ConcurrencyGate::Entry::may_run || cancel_) co_return true;
    if (entry == ConcurrencyGate::Entry::skipped) {
      gate_key_.reset();
      co_await end_at_once(JobStatus::cancelled, "", "skipped: another job of this recipe and key is running");
      co_return false;
    }
    if (fenced_ || core_.draining) co_return false;
    co_await changed_.wait();
  }
}

void JobTask::leave_lines() {
  if (gate_key_) {
    if (const auto next = core_.gate.leave(*gate_key_, id_)) core_.wake_job(*next);
  }
  core_.local_slots.leave(id_);
  if (std::exchange(has_slot_, false)) core_.local_slots.give_back();
}

// ---------------------------------------------------------------- the job itself

// However the work ends, nobody waits for a worker that this job has no use for.
struct JobTask::InLine {
  JobTask& task;
  explicit InLine(JobTask& of) : task(of) {}
  InLine(const InLine&) = delete;
  InLine& operator=(const InLine&) = delete;
  ~InLine() {
    task.worker_refused_ = false;
    task.give_back_unused();
  }
};

asio::awaitable<void> JobTask::work() {
  const InLine in_line(*this);
  for (;;) {
    changed_.clear();
    if (fenced_) co_return;  // what still comes in is somebody else's to say
    worker_refused_ = false;
    execution_->set_standing(standing());
    if (cancel_) execution_->cancel(*cancel_);
    const Turn turn = execution_->next(core_.now());
    if (!co_await keep(turn)) co_return;
    if (turn.finished) {
      over_ = true;
      core_.parts.log.info("job.finished", {{"job", id_.value}, {"status", to_string(*turn.finished)}});
      co_return;
    }
    co_await forget(turn.forget);
    for (const Action& action : turn.actions) begin(action);
    give_back_unused();
    if (turn.interrupt || lease_over()) interrupt();
    const bool rests = running_ == 0 && turn.actions.empty() && !changed_.is_set();
    if (rests && core_.draining) co_return;
    if (rests && reload_) {
      reload_ = false;
      if (!co_await load_patiently()) co_return;
      prepare();
      continue;
    }
    SteadyTime until = core_.timer_at(turn.wake.value_or(SteadyTime::max()));
    if (!is_local() && !lease_over()) until = std::min(until, core_.timer_at(next_look()));
    co_await changed_.wait_until(until);
  }
}

// True when the turn is on the disk. Gives up only when the job is no longer ours, or the engine drains.
asio::awaitable<bool> JobTask::keep(const Turn& turn) {
  auto batch = journal::batch_of(turn.changes);
  for (const auto& body : turn.reports) {
    const auto told = recipe_->keeps_payload() ? std::optional(body) : report::without_payload(body);
    if (!told) continue;
    if (const auto* event = std::get_if<report::AgentEvent>(&*told)) core_.log_event(id_, *event);
    batch.emplace_back(core_.report_of(id_, *told));
  }
  if (batch.empty()) co_return true;
  co_return co_await write(std::move(batch));
}

void JobTask::stamp(journal::Batch& batch) const {
  for (auto& change : batch) {
    if (auto* intent = std::get_if<journal::AddIntent>(&change)) intent->intent.epoch = epoch_;
  }
}

asio::awaitable<bool> JobTask::write(journal::Batch batch) {
  for (;;) {
    const std::uint64_t epoch = epoch_;
    stamp(batch);
    const auto committed = co_await core_.commit(batch);
    if (committed) co_return true;
    if (fenced_ || committed.error().code == Errc::not_found) co_return false;
    if (committed.error().code == Errc::conflict && epoch != epoch_) continue;  // raised meanwhile
    core_.parts.log.error("journal.unwritable", {{"job", id_.value}, {"why", committed.error().message}});
    if (committed.error().code == Errc::conflict || core_.draining) co_return false;
    co_await sleep_for(core_.options.disk_retry);
  }
}

asio::awaitable<void> JobTask::end_at_once(JobStatus status, std::string error_class, std::string message) {
  journal::Batch batch;
  batch.emplace_back(journal::EndJob{id_, core_.parts.clock.wall()});
  batch.emplace_back(
      core_.report_of(id_, report::JobFinished{std::string(to_string(status)), error_class, message, ""}));
  over_ = co_await write(std::move(batch));
}

asio::awaitable<void> JobTask::abandon() {
  core_.parts.log.warn("job.abandoned", {{"job", id_.value}, {"epoch", epoch_}});
  journal::Batch batch;
  batch.emplace_back(journal::AbandonJob{id_, core_.parts.clock.wall()});
  const auto committed = co_await core_.commit(std::move(batch));
  over_ = committed.has_value();
  if (!committed) core_.parts.log.error("journal.unwritable", {{"job", id_.value}, {"why", committed.error().message}});
}

asio::awaitable<void> JobTask::clean_up() {
  readers_.clear();
  core_.memory.remove_job(id_);
  core_.redactor.forget(id_.value);
  const auto removed = co_await run_blocking(core_.pool, [this] { return core_.parts.spool.remove_job(id_); });
  if (!removed) core_.parts.log.warn("spool.left_over", {{"job", id_.value}, {"why", removed.error().message}});
}

}  // namespace sallyport::runner
