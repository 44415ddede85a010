#include "relay/archive/record.h"

#include "relay/jobs/sealing.h"
#include "shared/base/json.h"
#include "shared/recipe/model.h"

#include <algorithm>
#include <array>
#include <span>

namespace sallyport::archive {

namespace asio = boost::asio;

namespace {

constexpr JsonLimits kStoredLimits{.max_bytes = 64u << 20, .max_depth = 64};

// Members that say nothing are left out.
class Object {
 public:
  Object& put(std::string_view name, Value value) {
    if (!value.is_null()) members_.emplace(Value(name), std::move(value));
    return *this;
  }
  Object& text(std::string_view name, const std::string& value) {
    return put(name, value.empty() ? Value() : Value(value));
  }
  Object& time(std::string_view name, const std::optional<WallTime>& at) {
    return put(name, at ? Value(rfc3339(*at)) : Value());
  }
  Value done() { return Value(std::move(members_)); }

 private:
  ValueMap members_;
};

Value mark(std::string_view name, std::string_view why) { return Value(ValueMap{{Value(name), Value(why)}}); }

Value omitted() { return mark("$omitted", "the record would be too large"); }

// Whether a later try may open it.
bool may_pass(Errc code) { return code != Errc::not_found && code != Errc::invalid; }

Value job_shape(const store::Job& job, Value message) {
  return Object()
      .text("id", job.id.value)
      .text("organisation", job.org.value)
      .text("recipe", job.recipe.value)
      .text("recipe_name", job.recipe_name)
      .put("version", Value(std::int64_t{job.version}))
      .text("group", job.group.value)
      .text("agent", job.agent ? job.agent->value : "")
      .text("state", std::string(domain::to_string(job.state)))
      .text("trigger", job.trigger_kind)
      .put("dry_run", job.mode == store::Mode::dry_run ? Value(true) : Value())
      .put("runs", Value(std::int64_t{job.run_number}))
      .text("rerun_of", job.rerun_of ? job.rerun_of->value : "")
      .time("created_at", job.created_at)
      .time("started_at", job.started_at)
      .time("finished_at", job.finished_at)
      .text("error_class", job.error.error_class)
      .put("message", std::move(message))
      .text("failed_step", job.error.failed_step)
      .done();
}

}  // namespace

struct RecordMaker::Draft {
  explicit Draft(std::size_t limit) : most(limit - std::min(limit, kEnd)) {}

  std::size_t most;
  std::string text;
  std::int64_t steps = 0, events = 0, left_out = 0, steps_left_out = 0, events_left_out = 0;

  bool has_room(std::size_t bytes) const { return text.size() + bytes <= most; }
  void line(std::string_view name, Value value) { text += line_of(name, std::move(value)); }
  // False: the line does not fit.
  bool try_line(std::string_view name, Value value) {
    const auto whole = line_of(name, std::move(value));
    if (!has_room(whole.size())) return false;
    text += whole;
    return true;
  }
  // As it is, or with a mark in the place of each of its bodies, or not at all: then it is false.
  bool fit(std::string_view name, ValueMap line, std::span<const std::string_view> bodies) {
    bool put = try_line(name, Value(line));
    if (!put) {
      for (const auto body : bodies) {
        if (const auto at = line.find(Value(body)); at != line.end()) at->second = omitted();
      }
      put = try_line(name, Value(line));
    }
    const auto is_marked = [&](std::string_view body) {
      const auto at = line.find(Value(body));
      return at != line.end() && at->second == omitted();
    };
    if (put && std::ranges::any_of(bodies, is_marked)) ++left_out;
    return put;
  }

 private:
  static constexpr std::size_t kEnd = 512;  // of the last line
  static std::string line_of(std::string_view name, Value value) {
    return canonical_json(Value(ValueMap{{Value(name), std::move(value)}})) + '\n';
  }
};

asio::awaitable<Result<Value>> RecordMaker::open(keys::RecordIdentity identity, std::optional<Bytes> sealed) {
  if (!sealed || sealed->empty()) co_return Value();
  const auto plain = co_await parts_.envelope.open(std::move(identity), *sealed);
  if (plain) co_return Value(plain->reveal());
  if (may_pass(plain.error().code)) co_return std::unexpected(plain.error());
  co_return mark("$unreadable", plain.error().code == Errc::not_found ? "its retention has ended" : "it was changed");
}

asio::awaitable<Result<Value>> RecordMaker::open_json(keys::RecordIdentity identity, std::optional<Bytes> sealed) {
  SP_CO_TRY(auto text, co_await open(std::move(identity), std::move(sealed)));
  if (!text.is(Value::Kind::string)) co_return text;
  auto value = parse_shown_json(text.as_string(), kStoredLimits);
  co_return value ? *std::move(value) : mark("$unreadable", "it is no JSON");
}

// All of it is masked when the recipe cannot say.
asio::awaitable<Result<Value>> RecordMaker::trigger_of(const store::Job& job) {
  auto sealed = co_await parts_.jobs.sealed_trigger(job.org, job.id);
  if (!sealed && sealed.error().code == Errc::not_found) co_return mark("$unreadable", "its retention has ended");
  if (!sealed) co_return std::unexpected(std::move(sealed).error());
  SP_CO_TRY(const auto value, co_await open_json(jobs::trigger_identity(job.org, job.id), *std::move(sealed)));
  const auto outline = co_await parts_.outlines.find(job.org, job.recipe, job.version);
  const auto mask = outline ? recipe::trigger_mask(**outline) : recipe::Mask{.everything = true, .paths = {}};
  co_return redacted(mask.labelled(value));
}

asio::awaitable<Result<void>> RecordMaker::add_step(Draft& draft, const store::Job& job, store::Step step) {
  const auto identity = [&](std::string_view column) {
    return jobs::step_identity(job.org, column, job.id, step.path, step.attempt);
  };
  SP_CO_TRY(auto message, co_await open(identity("message"), std::move(step.sealed_message)));
  Value input, output;
  if (!draft.has_room(step.payload_bytes)) {
    input = output = omitted();
  } else if (step.payload_bytes > 0) {
    SP_CO_TRY(auto payloads, co_await parts_.history.payloads(job.org, job.id, {{step.path, step.attempt}}));
    SP_CO_TRY(input, co_await open_json(identity("input"), std::move(payloads.at(0).sealed_input)));
    SP_CO_TRY(output, co_await open_json(identity("output"), std::move(payloads.at(0).sealed_output)));
  }
  auto line = Object()
                  .text("path", step.path)
                  .put("attempt", Value(std::int64_t{step.attempt}))
                  .text("status", std::string(domain::to_string(step.status)))
                  .text("uses", step.uses)
                  .time("started_at", step.started_at)
                  .time("finished_at", step.finished_at)
                  .text("error_class", step.error_class)
                  .text("plan", step.plan)
                  .put("message", std::move(message))
                  .put("input", std::move(input))
                  .put("output", std::move(output))
                  .done();
  constexpr std::array<std::string_view, 3> kBodies{"message", "input", "output"};
  ++(draft.fit("step", line.as_map(), kBodies) ? draft.steps : draft.steps_left_out);
  co_return Result<void>();
}

asio::awaitable<Result<void>> RecordMaker::add_steps(Draft& draft, const store::Job& job) {
  store::PageQuery query;
  do {
    SP_CO_TRY(auto page, co_await parts_.history.steps(job.org, job.id, {}, query));
    for (auto& step : page.items) SP_CO_CHECK(co_await add_step(draft, job, std::move(step)));
    query.after = page.next;
  } while (!query.after.empty());
  co_return Result<void>();
}

asio::awaitable<Result<void>> RecordMaker::add_event(Draft& draft, const store::Job& job, store::HistoryEvent event) {
  const auto size = event.sealed_text ? event.sealed_text->size() : 0;
  Value text = omitted();
  if (draft.has_room(size)) {
    SP_CO_TRY(text, co_await open(jobs::log_identity(job.org, job.id, event.epoch, event.job_seq),
                                  std::move(event.sealed_text)));
  }
  auto line = Object()
                  .put("seq", Value(static_cast<std::int64_t>(event.seq)))
                  .time("at", event.at)
                  .text("kind", event.kind)
                  .text("path", event.path)
                  .text("status", event.status)
                  .put("text", std::move(text))
                  .done();
  constexpr std::array<std::string_view, 1> kBodies{"text"};
  ++(draft.fit("event", line.as_map(), kBodies) ? draft.events : draft.events_left_out);
  co_return Result<void>();
}

asio::awaitable<Result<void>> RecordMaker::add_events(Draft& draft, const store::Job& job) {
  store::EventQuery query;
  for (bool more = true; more;) {
    SP_CO_TRY(auto events, co_await parts_.history.events(job.org, job.id, query));
    for (auto& event : events.items) {
      query.after_seq = event.seq;
      SP_CO_CHECK(co_await add_event(draft, job, std::move(event)));
    }
    more = events.more;
  }
  co_return Result<void>();
}

asio::awaitable<Result<std::string>> RecordMaker::make(store::Job job) {
  Draft draft(parts_.most);
  SP_CO_TRY(auto message, co_await open(jobs::error_identity(job.org, job.id), job.error.sealed_message));
  constexpr std::array<std::string_view, 1> kMessage{"message"};
  draft.fit("job", job_shape(job, std::move(message)).as_map(), kMessage);
  SP_CO_TRY(auto trigger, co_await trigger_of(job));
  if (!draft.try_line("trigger", std::move(trigger))) {
    draft.line("trigger", omitted());
    ++draft.left_out;
  }
  SP_CO_CHECK(co_await add_steps(draft, job));
  SP_CO_CHECK(co_await add_events(draft, job));
  const auto some = [](std::int64_t count) { return count > 0 ? Value(count) : Value(); };
  draft.line("end", Object()
                        .put("format", Value("sallyport-archive-1"))
                        .put("steps", Value(draft.steps))
                        .put("events", Value(draft.events))
                        .put("left_out", Value(draft.left_out))
                        .put("steps_left_out", some(draft.steps_left_out))
                        .put("events_left_out", some(draft.events_left_out))
                        .done());
  co_return std::move(draft.text);
}

}  // namespace sallyport::archive
