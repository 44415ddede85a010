#pragma once

#include "agent/connectors/step_error.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sallyport::connectors::http {

// The status line and the headers of an answer, line by line as they come (RFC 9112). Interim answers (1xx) and those
// before the last one (a login in several turns) are forgotten when the next begins, but count against the limit. No
// IO.
class AnswerHead {
 public:
  static constexpr std::size_t kMost = 64u << 10;       // bytes of all lines
  static constexpr std::size_t kMostShown = 16u << 10;  // bytes of what shown() gives

  // A line with its line break. Class "too_large", or "format" for what is no head.
  StepResult<void> take(std::string_view line);

  int status() const { return status_; }  // 0: no final answer has begun
  // The first with this name (in lower case); nullptr when there is none.
  const std::string* find(std::string_view name) const;
  std::vector<std::string_view> all(std::string_view name) const;
  // For the step's output: text by name, in lower case; those that come more than once joined by ", ". Without cookies
  // and what belongs to the login, and what is no UTF-8.
  Value shown() const;

 private:
  StepResult<void> begin(std::string_view line);

  int status_ = 0;
  std::size_t size_ = 0;
  bool ended_ = true;  // what comes now is a status line, or trailers
  std::vector<std::pair<std::string, std::string>> headers_;
};

}  // namespace sallyport::connectors::http
