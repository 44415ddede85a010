#pragma once

#include "agent/connectors/step_error.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::connectors::json {

struct JsonItemsLimits {
  std::size_t item_bytes = 4u << 20;  // also of a text or number around the array
  std::size_t depth = 64;
};

// Bytes in, the objects of one array out, each as its own JSON text, which nobody has looked into yet: the caller
// parses it. What is around the array is checked and dropped. Holds one object and what was fed last. No IO.
//
// Errors are class "format" or "too_large", name the line, and never the content; after one, every call fails.
class JsonItems {
 public:
  // `pointer` (RFC 6901) leads to the array through objects: "/data/items"; "" is the document itself. Class "invalid".
  static StepResult<JsonItems> at(std::string_view pointer, JsonItemsLimits limits = {});

  void feed(std::span<const std::byte> bytes);
  void finish() { finished_ = true; }
  StepResult<std::optional<std::string>> next();  // nullopt: feed more, or the end
  std::uint64_t line() const { return line_; }    // where the object ends that next() gave last

 private:
  enum class Expect { value, value_or_end, key, key_or_end, colon, comma_or_end, nothing };
  enum class Taking { nothing, text, word, item };
  enum class Frame { object, array, items };

  JsonItems(std::vector<std::string> pointer, JsonItemsLimits limits) : pointer_(std::move(pointer)), limits_(limits) {}

  StepResult<void> take(char c);
  StepResult<void> take_structure(char c);
  StepResult<void> begin_value(char c);
  StepResult<void> begin_items(char c);
  StepResult<void> open(Frame frame, Expect next);
  StepResult<void> close(char c);
  StepResult<void> end_token();
  void note_key(std::string_view key);
  void begin(Taking what, char c);
  StepResult<void> end_of_input();
  bool is_target() const { return found_depth_ == pointer_.size() && stack_.size() == pointer_.size(); }
  std::unexpected<StepError> wrong(std::string error_class, std::string_view why);

  std::vector<std::string> pointer_;
  JsonItemsLimits limits_;
  std::string buffer_;
  std::size_t at_ = 0;
  std::vector<Frame> stack_;
  std::size_t found_depth_ = 0;  // how many parts of the pointer lead to where we are
  Expect expect_ = Expect::value;
  Taking taking_ = Taking::nothing;
  std::string token_;
  std::size_t item_depth_ = 0;
  bool in_text_ = false, escaped_ = false, complete_ = false, found_ = false, finished_ = false;
  std::uint64_t line_ = 1;
  std::optional<StepError> broken_;
};

}  // namespace sallyport::connectors::json
