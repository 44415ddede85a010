#include "agent/connectors/command/command_actions.h"

#include "agent/connectors/arguments.h"
#include "agent/connectors/program_input.h"
#include "agent/connectors/program_output.h"
#include "agent/connectors/run_time.h"
#include "agent/connectors/translate.h"
#include "agent/platform/process.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace sallyport::connectors::command {
namespace {

using platform::ProcessEnd;

// What the recipe decides of a command's start, checked against its template.
struct Filled {
  std::vector<std::string> argv;
  std::vector<std::pair<std::string, std::string>> environment;
};

StepResult<Filled> fill(const policy::CommandTemplate& command, const Arguments& arguments) {
  const Value none(ValueMap{});
  const auto given = [&](std::string_view name) -> const Value& {
    const auto* value = arguments.find(name);
    return value == nullptr ? none : *value;
  };
  SP_TRY(auto argv, to_step(policy::fill_template(command, given("params"))));
  SP_TRY(auto environment, to_step(policy::fill_environment(command, given("environment"))));
  return Filled{std::move(argv), std::move(environment)};
}

platform::ProcessSpec make_spec(const policy::CommandTemplate& command, Filled filled) {
  platform::ProcessSpec spec;
  spec.argv = std::move(filled.argv);
  spec.environment = std::move(filled.environment);
  spec.working_directory = command.working_directory;
  spec.user = command.user;
  spec.limits = {command.limits.cpu_time, command.limits.memory, command.limits.open_files, command.limits.file_size};
  return spec;
}

struct Reason {
  std::string_view error_class, text;
};
constexpr std::array kReasons{
    Reason{"not_found", "its program, directory or user is not there"}, Reason{"permission", "the agent was refused"},
    Reason{"invalid", "its program or its arguments do not work"}, Reason{"too_large", "its arguments are too long"},
    Reason{"timeout", "it did not begin in time"}};

// Path, directory and user stay on this machine.
StepError cannot_start(const Log& log, std::string_view command, Error error) {
  auto step = to_step_error(std::move(error));
  if (step.error_class() == "cancelled") return step;
  log.warn("command.failed", {{"command", command}, {"class", step.error_class()}, {"why", step.message}});
  const auto* found = std::ranges::find(kReasons, step.error_class(), &Reason::error_class);
  const auto reason = found == kReasons.end() ? "this machine could not do it now" : found->text;
  step.message = fmt::format("starting the command {}: {}; the agent's log says more", command, reason);
  return step;
}

bool has_exited(ProcessEnd end) { return end.reason == ProcessEnd::Reason::exited; }

StepError failed(const policy::CommandTemplate& command, ProcessEnd end) {
  const auto what = fmt::format("{}:{}", has_exited(end) ? "exit" : "signal", end.code);
  return {{what, "command"},
          fmt::format("command {} ended with {} {}", command.name, has_exited(end) ? "exit code" : "signal", end.code),
          {}};
}

// It has done its work, so no other class may have it run again.
StepError lost_output(const policy::CommandTemplate& command, StepError error) {
  error.classes.insert(error.classes.begin(), "in_doubt");
  error.message =
      fmt::format("command {} ended with exit code 0, but what it wrote is lost: {}", command.name, error.message);
  return error;
}

// A program that ran and did not succeed, with what it wrote.
std::unexpected<StepError> with_output(StepError error, const ProgramOutput& output, std::optional<int> exit_code) {
  const auto text = output.text();
  error.output = Value(ValueMap{{Value("exit_code"), exit_code ? Value(*exit_code) : Value()},
                                {Value("text"), text ? Value(*text) : Value()},
                                {Value("stderr"), Value(output.stderr_tail())}});
  return std::unexpected(std::move(error));
}

class CommandRun final : public Action {
 public:
  explicit CommandRun(Site site) : site_(site) {}
  std::string_view name() const override { return "command.run@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_CHECK(check_allowed(site_, context, name()));
    SP_TRY(const auto wanted, arguments.text("template"));
    SP_TRY(const auto* command, to_step(site_.policy.find_command(wanted)));
    SP_TRY(auto filled, fill(*command, arguments));
    SP_TRY(const auto input, ProgramInput::open(arguments, context.bodies));
    SP_TRY(const auto spool, context.bodies.new_spool("application/octet-stream"));
    ProgramOutput output(*spool, command->limits.output);
    const SteadyTime latest = site_.clock.steady() + command->limits.run_time;
    auto end = platform::run_process(make_spec(*command, std::move(filled)), std::min(context.deadline, latest),
                                     context.stop, *input, output);
    for (const auto* problem : {&input->error(), &output.spool_error()}) {
      if (*problem) return std::unexpected(**problem);
    }
    if (!end) {
      auto& [error, started] = end.error();
      if (!started) return std::unexpected(cannot_start(site_.log, command->name, std::move(error)));
      auto cut = step_in_context("command " + command->name, to_step_error(std::move(error))).error();
      cut = naming_run_time(std::move(cut), command->limits.run_time, latest, context.deadline, site_.clock);
      return with_output(std::move(cut), output, std::nullopt);
    }
    const auto exit_code = has_exited(*end) ? std::optional(end->code) : std::nullopt;
    if (exit_code != 0) return with_output(failed(*command, *end), output, exit_code);
    auto body = spool->commit({});
    if (!body) return with_output(lost_output(*command, std::move(body).error()), output, exit_code);
    return finish(output, *std::move(body));
  }

 private:
  static StepResult<Output> finish(const ProgramOutput& output, Handle body) {
    const auto text = output.text();
    return Output{Value(ValueMap{{Value("exit_code"), Value(0)},
                                 {Value("stdout"), Value(std::move(body))},
                                 {Value("text"), text ? Value(*text) : Value()},
                                 {Value("stderr"), Value(output.stderr_tail())}})};
  }

  Site site_;
};

}  // namespace

std::vector<std::unique_ptr<Action>> make_actions(Site site) {
  std::vector<std::unique_ptr<Action>> actions;
  actions.push_back(std::make_unique<CommandRun>(site));
  return actions;
}

}  // namespace sallyport::connectors::command
