#include "agent/connectors/translate.h"

namespace sallyport::connectors {
namespace {

std::string class_of(Errc code) {
  switch (code) {
    case Errc::cancelled: return "cancelled";
    case Errc::timed_out: return "timeout";
    case Errc::unavailable: return "connection";
    case Errc::unauthenticated:
    case Errc::forbidden: return "permission";
    case Errc::not_found: return "not_found";
    case Errc::conflict: return "changed";
    case Errc::invalid: return "invalid";
    case Errc::too_large: return "too_large";
    case Errc::exhausted: return "disk_full";
    case Errc::internal: return "internal";
  }
  return "internal";
}

}  // namespace

StepError to_step_error(Error error) { return StepError{{class_of(error.code)}, std::move(error.message), {}}; }

StepError to_step_error(policy::Refusal refusal) {
  return StepError{{"policy"}, std::move(refusal.message) + " (" + refusal.rule + ")", std::move(refusal.rule)};
}

std::unexpected<StepError> step_in_context(std::string_view where, StepError error) {
  error.message.insert(0, std::string(where) + ": ");
  return std::unexpected(std::move(error));
}

}  // namespace sallyport::connectors
