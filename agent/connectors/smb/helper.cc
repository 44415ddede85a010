#include "agent/connectors/smb/helper.h"

#include "agent/connectors/smb/wire/codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace sallyport::connectors::smb {
namespace {

using Clock = std::chrono::steady_clock;
using wire::Trouble;

const char* class_of(Trouble trouble) {
  switch (trouble) {
    case Trouble::connection: return "connection";
    case Trouble::permission: return "permission";
    case Trouble::not_found: return "not_found";
    case Trouble::exists: return "constraint";
    case Trouble::busy: return "changed";
    case Trouble::disk_full: return "disk_full";
    case Trouble::too_large: return "too_large";
    case Trouble::invalid: return "invalid";
    case Trouble::internal: break;
  }
  return "internal";
}

const char* text_of(Trouble trouble) {
  switch (trouble) {
    case Trouble::connection: return "the connection to the server failed";
    case Trouble::permission: return "the server does not permit it";
    case Trouble::not_found: return "the server does not have it";
    case Trouble::exists: return "it exists already";
    case Trouble::busy: return "another program has it open";
    case Trouble::disk_full: return "the server has no room for it";
    case Trouble::too_large: return "it is too large for the program sallyport-smb";
    case Trouble::invalid: return "it is not a file that can be used so";
    case Trouble::internal: break;
  }
  return "the program sallyport-smb failed";
}

// What takes the server many answers before the first of the program; that has patience with each of them.
bool asks_much(const wire::Request& request) {
  return std::holds_alternative<wire::Open>(request) || std::holds_alternative<wire::List>(request);
}

}  // namespace

StepError trouble_error(const wire::Failed& why) {
  return {{class_of(why.trouble)}, fmt::format("{} ({})", text_of(why.trouble), why.number), {}};
}

Result<std::string> find_helper() {
  auto program = platform::find_companion("sallyport-smb");
  if (!program.empty()) return program;
  return fail(Errc::not_found,
              "SMB needs the program sallyport-smb beside sallyport-agent, and the library libsmbclient: install the "
              "package sallyport-smb");
}

StepResult<Helper> Helper::start(const std::string& program, std::chrono::milliseconds patience) {
  auto started = platform::Companion::start(program);
  if (started) return Helper(*std::move(started), patience);
  return step_fail("connection", "the program sallyport-smb cannot be started: " + started.error().message);
}

StepResult<wire::Answer> Helper::ask(const wire::Request& request, const CallLimits& limits) {
  const auto until =
      asks_much(request) ? limits.deadline : std::min<SteadyTime>(limits.deadline, Clock::now() + patience_);
  const auto encoded = wire::encode(request, sent_);
  const auto sent = encoded ? program_.send(sent_, until, limits.stop) : Result<void>();
  if (std::holds_alternative<wire::Open>(request)) wipe(sent_.data(), sent_.size());
  if (!encoded) return step_fail("too_large", encoded.error().message);
  if (!sent) return broken(sent.error(), limits);
  return receive(until, limits);
}

StepResult<wire::Answer> Helper::next(const CallLimits& limits) {
  return receive(std::min<SteadyTime>(limits.deadline, Clock::now() + patience_), limits);
}

StepResult<wire::Answer> Helper::receive(SteadyTime until, const CallLimits& limits) {
  std::array<std::byte, wire::kLengthSize> head{};
  if (auto got = program_.receive(head, until, limits.stop); !got) return broken(got.error(), limits);
  const auto length = wire::decode_length(head);
  if (!length) return nonsense();
  received_.resize(*length);
  if (auto got = program_.receive(received_, until, limits.stop); !got) return broken(got.error(), limits);
  auto answer = wire::decode_answer(received_);
  if (!answer) return nonsense();
  const auto* why = std::get_if<wire::Failed>(&*answer);
  if (why == nullptr) return *std::move(answer);
  if (why->trouble == Trouble::connection || why->trouble == Trouble::internal) usable_ = false;
  return std::unexpected(trouble_error(*why));
}

std::unexpected<StepError> Helper::nonsense() {
  usable_ = false;
  return step_fail("connection", "the program sallyport-smb answers what cannot be understood");
}

std::unexpected<StepError> Helper::broken(const Error& error, const CallLimits& limits) {
  usable_ = false;
  if (error.code == Errc::cancelled) return step_fail("cancelled", "stopped");
  if (error.code != Errc::timed_out) return step_fail("connection", "the program sallyport-smb has ended");
  if (Clock::now() >= limits.deadline) return step_fail("timeout", "the server did not answer in time");
  return step_fail("connection", "the server was silent for too long");
}

}  // namespace sallyport::connectors::smb
