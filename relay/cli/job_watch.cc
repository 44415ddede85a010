#include "relay/cli/job_watch.h"

#include "relay/cli/requests.h"
#include "shared/base/json.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace sallyport::cli {
namespace {

std::uint64_t number_of(std::string_view id) {
  std::uint64_t number = 0;
  std::from_chars(id.data(), id.data() + id.size(), number);
  return number;
}

class JobFollower final : public Follower {
 public:
  JobFollower(const Context& context, Patience& patience) : context_(context), patience_(patience) {}

  Flow on_event(const ServerEvent& event) override {
    if (event.name == "end") {
      ended_ = true;
      return Flow::stop;
    }
    if (event.name == "closed" || event.name == "dropped") return Flow::stop;
    if (auto data = parse_json(event.data)) show(event, *std::move(data));
    return context_.can_print() ? Flow::go_on : Flow::stop;
  }
  void on_bytes() override {
    patience_.heard(context_.clock->steady());
    told_lost_ = false;
  }
  // Once per loss, to people and programs alike: not on standard output.
  void tell_lost(const Error& why) {
    if (!std::exchange(told_lost_, true)) context_.complain(terminal_safe(why.message) + "; trying again");
  }

  bool ended() const { return ended_; }
  const Value& job() const { return job_; }
  std::string last_event() const { return last_seq_ == 0 ? "" : std::to_string(last_seq_); }

 private:
  // After a new connection the relay tells the job's state again, and may tell an event again.
  void show(const ServerEvent& event, Value data) {
    if (event.name == "job") {
      if (data == job_) return;
      job_ = data;
      if (context_.format == Format::table) return;
    } else {
      const auto seq = number_of(event.id);
      if (seq <= last_seq_) return;
      last_seq_ = seq;
    }
    const auto line = history_line(data);
    context_.show_line(Value(ValueMap{{Value("event"), Value(event.name)}, {Value("data"), std::move(data)}}), line);
  }

  const Context& context_;
  Patience& patience_;
  Value job_;
  std::uint64_t last_seq_ = 0;
  bool ended_ = false;
  bool told_lost_ = false;
};

std::string why_text(const std::string& error_class, const Value* message) {
  return fmt::format("({}) {}", terminal_safe(error_class), cell_of(message));
}

std::string end_line(const Value& job) {
  const Value* error = job.find("error");
  const auto why =
      error == nullptr || error->is_null() ? "" : " " + why_text(text_of(*error, "class"), error->find("message"));
  return fmt::format("{} {}{}\n", text_of(job, "id"), text_of(job, "state"), why);
}

}  // namespace

std::string history_line(const Value& event) {
  std::string line =
      fmt::format("{}  {:<14} {:<24} {}", terminal_safe(text_of(event, "at")), terminal_safe(text_of(event, "kind")),
                  terminal_safe(text_of(event, "path")), terminal_safe(text_of(event, "status")));
  if (const Value* attempt = event.find("attempt");
      attempt != nullptr && attempt->is(Value::Kind::int64) && attempt->as_int() > 1) {
    line += fmt::format("  attempt {}", attempt->as_int());
  }
  const Value* text = event.find("text");
  if (text != nullptr && !text->is_null() && *text != Value("")) line += "  " + cell_of(text);
  if (const auto error_class = text_of(event, "error_class"); !error_class.empty())
    line += "  " + why_text(error_class, event.find("message"));
  while (line.ends_with(' ')) line.pop_back();
  return line + "\n";
}

Result<std::string> follow_job(Client& client, const Context& context, const std::string& job) {
  Patience patience(context.patience, context.clock->steady());
  JobFollower follower(context, patience);
  const auto path = fill("/v1/jobs/{}/watch", job);
  for (;;) {
    const auto followed = client.follow(path, follower.last_event(), context.silence, follower);
    if (follower.ended() || !context.can_print()) break;
    if (!followed && !may_pass(followed.error().code)) return std::unexpected(followed.error());
    const auto wait = patience.next_wait(context.clock->steady(), drawn_luck());
    if (!wait) {
      return fail(Errc::unavailable,
                  fmt::format("{}; gave up; the job goes on, see: sallyport jobs show {}",
                              followed ? "the relay did not tell the job's end" : followed.error().message, job));
    }
    if (!followed) follower.tell_lost(followed.error());
    context.pause(*wait);
  }
  if (context.format == Format::table) context.print(end_line(follower.job()));
  return text_of(follower.job(), "state");
}

}  // namespace sallyport::cli
