#pragma once

#include "shared/base/value.h"

#include <cstdint>
#include <expected>
#include <string>

namespace sallyport::expr {

// An evaluation that gave no value. Errors are values inside the evaluator, because `&&`, `||`, all() and exists() may
// absorb them; `exhausted` is absorbed by nothing. `label` says what influenced that it failed.
struct Failure {
  enum class Kind { error, no_overload, exhausted };
  static constexpr std::uint32_t kNowhere = UINT32_MAX;

  Kind kind = Kind::error;
  std::string message;
  std::uint32_t offset = kNowhere;
  Label label = Label::none;
};
using Answer = std::expected<Value, Failure>;

inline std::unexpected<Failure> failed(std::string message) {
  return std::unexpected(Failure{.kind = Failure::Kind::error, .message = std::move(message)});
}
// No overload for these arguments: the evaluator writes the message, which names the function and the types.
inline std::unexpected<Failure> no_overload() {
  return std::unexpected(Failure{.kind = Failure::Kind::no_overload, .message = {}});
}
inline std::unexpected<Failure> exhausted(std::string message) {
  return std::unexpected(Failure{.kind = Failure::Kind::exhausted, .message = std::move(message)});
}

// What an evaluation may still spend. Work is paid for before it is done.
class Budget {
 public:
  explicit Budget(std::uint64_t units) : left_(units) {}

  std::expected<void, Failure> spend(std::uint64_t units) {
    if (units > left_) {
      left_ = 0;
      return exhausted("cost limit exceeded: the expression does too much work; make it or its input smaller");
    }
    left_ -= units;
    return {};
  }
  std::expected<void, Failure> spend_bytes(std::uint64_t bytes) { return spend(bytes / kBytesPerUnit); }

 private:
  static constexpr std::uint64_t kBytesPerUnit = 10;
  std::uint64_t left_;
};

}  // namespace sallyport::expr
