#include "agent/connectors/arguments.h"
#include "agent/connectors/program_input.h"
#include "agent/connectors/program_output.h"
#include "agent/connectors/run_time.h"
#include "agent/connectors/ssh/pool.h"
#include "agent/connectors/ssh/remote_program.h"
#include "agent/connectors/ssh/ssh_actions_parts.h"
#include "agent/connectors/translate.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace sallyport::connectors::ssh {
namespace {

StepError failed(const policy::CommandTemplate& command, const RemoteEnd& end) {
  const auto code = end.signal.value_or(end.exit_code);
  return {{fmt::format("{}:{}", end.signal ? "signal" : "exit", code), "command"},
          fmt::format("command {} ended with {} {}", command.name, end.signal ? "signal" : "exit code", code),
          {}};
}

// What it began may go on, or be done: no other class may have it run again.
StepError in_doubt(StepError error) {
  if (error.error_class() != "in_doubt") error.classes.insert(error.classes.begin(), "in_doubt");
  error.message += "; the command was started, and may have done its work all the same";
  return error;
}

std::unexpected<StepError> with_output(StepError error, const ProgramOutput& output, std::optional<int> exit_code) {
  const auto text = output.text();
  error.output = Value(ValueMap{{Value("exit_code"), exit_code ? Value(*exit_code) : Value()},
                                {Value("text"), text ? Value(*text) : Value()},
                                {Value("stderr"), Value(output.stderr_tail())}});
  return std::unexpected(std::move(error));
}

class SshRun final : public Action {
 public:
  SshRun(Site site, ServersPtr servers) : site_(site), servers_(std::move(servers)) {}
  std::string_view name() const override { return "ssh.run@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_CHECK(check_allowed(site_, context, name()));
    SP_TRY(auto* const pool, servers_->find(site_, context.connection));
    SP_TRY(const auto wanted, arguments.text("template"));
    SP_TRY(const auto* command, to_step(site_.policy.find_remote_command(context.connection, wanted)));
    const Value none(ValueMap{});
    const auto* params = arguments.find("params");
    SP_TRY(const auto argv, to_step(policy::fill_template(*command, params == nullptr ? none : *params)));
    SP_TRY(const auto input, ProgramInput::open(arguments, context.bodies));
    SP_TRY(const auto spool, context.bodies.new_spool("application/octet-stream"));
    ProgramOutput output(*spool, command->limits.output);
    const SteadyTime latest = site_.clock.steady() + command->limits.run_time;
    const CallLimits limits{std::min(context.deadline, latest), context.stop};
    SP_TRY(const auto lease, pool->acquire(limits));
    RemoteProgram program(*lease);
    SP_CHECK(program.start(shell_line(argv), limits));
    auto end = program.finish(*input, output, limits);
    for (const auto* problem : {&input->error(), &output.spool_error()}) {
      if (*problem) return std::unexpected(in_doubt(**problem));
    }
    if (!end) {
      auto cut = step_in_context("command " + command->name, std::move(end).error()).error();
      cut = naming_run_time(std::move(cut), command->limits.run_time, latest, context.deadline, site_.clock);
      return with_output(in_doubt(std::move(cut)), output, std::nullopt);
    }
    if (end->signal) return with_output(failed(*command, *end), output, std::nullopt);
    if (end->exit_code != 0) return with_output(failed(*command, *end), output, end->exit_code);
    auto body = spool->commit({});
    if (!body) return with_output(in_doubt(std::move(body).error()), output, end->exit_code);
    const auto text = output.text();
    return Output{Value(ValueMap{{Value("exit_code"), Value(0)},
                                 {Value("stdout"), Value(*std::move(body))},
                                 {Value("text"), text ? Value(*text) : Value()},
                                 {Value("stderr"), Value(output.stderr_tail())}})};
  }

 private:
  Site site_;
  ServersPtr servers_;
};

}  // namespace

std::unique_ptr<Action> make_run(Site site, ServersPtr servers) {
  return std::make_unique<SshRun>(site, std::move(servers));
}

}  // namespace sallyport::connectors::ssh
