#include "agent/connectors/command/command_actions.h"

#include "agent/connectors/arguments.h"
#include "agent/connectors/command/command_output.h"
#include "agent/connectors/translate.h"
#include "agent/platform/fd_io.h"
#include "agent/platform/process.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::connectors::command {
namespace {

using platform::Fd;
using platform::ProcessEnd;

constexpr std::uint64_t kMaxInput = 64u << 20;

// Standard input as an unnamed file in memory, so that a program which does not read it cannot block this side, and
// nothing of it reaches a disk.
StepResult<Fd> make_input(const Arguments& arguments, Bodies& bodies) {
  const auto* input = arguments.find("stdin");
  if (input == nullptr) return Fd();
  SP_TRY(auto memory, to_step(platform::make_memory_file()));
  if (input->is(Value::Kind::string)) {
    SP_CHECK(to_step(platform::write_all(memory.get(), as_bytes(input->as_string()))));
  } else {
    SP_TRY(const auto handle, arguments.handle("stdin"));
    SP_TRY(const auto reader, bodies.open_bytes(handle));
    std::array<std::byte, 65536> buffer;
    for (std::uint64_t total = 0;;) {
      SP_TRY(const auto got, reader->read(buffer));
      if (got == 0) break;
      total += got;
      if (total > kMaxInput)
        return step_fail("too_large", fmt::format("standard input is larger than {} bytes", kMaxInput));
      SP_CHECK(to_step(platform::write_all(memory.get(), std::span(buffer).first(got))));
    }
  }
  SP_CHECK(to_step(platform::rewind_file(memory.get())));
  return memory;
}

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

platform::ProcessSpec make_spec(const policy::CommandTemplate& command, Filled filled, const Fd& input) {
  platform::ProcessSpec spec;
  spec.argv = std::move(filled.argv);
  spec.environment = std::move(filled.environment);
  spec.working_directory = command.working_directory;
  spec.user = command.user;
  spec.stdin_fd = input.get();
  spec.limits = {command.limits.cpu_time, command.limits.memory, command.limits.open_files, command.limits.file_size};
  return spec;
}

std::unexpected<StepError> failed(const policy::CommandTemplate& command, ProcessEnd end) {
  const bool exited = end.reason == ProcessEnd::Reason::exited;
  const auto what = fmt::format("{}:{}", exited ? "exit" : "signal", end.code);
  return std::unexpected(
      StepError{{what, "command"},
                fmt::format("command {} ended with {} {}", command.name, exited ? "exit code" : "signal", end.code),
                {}});
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
    SP_TRY(const auto input, make_input(arguments, context.bodies));
    SP_TRY(const auto spool, context.bodies.new_spool("application/octet-stream"));
    CommandOutput output(*spool, command->limits.output);
    const auto deadline = std::min(effective_deadline(site_, context), site_.clock.steady() + command->limits.run_time);
    auto end = platform::run_process(make_spec(*command, std::move(filled), input), deadline, context.stop, output);
    if (const auto& problem = output.spool_error()) return std::unexpected(*problem);
    if (!end) return step_in_context("command " + command->name, to_step_error(std::move(end).error()));
    if (end->reason != ProcessEnd::Reason::exited || end->code != 0) return failed(*command, *end);
    return finish(output, *spool);
  }

 private:
  static StepResult<Output> finish(const CommandOutput& output, BodyWriter& spool) {
    SP_TRY(auto body, spool.commit({}));
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
