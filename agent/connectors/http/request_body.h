#pragma once

#include "agent/connectors/arguments.h"
#include "agent/connectors/bodies.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace sallyport::connectors::http {

// What a request carries: pieces of text and bodies one after the other, which can be sent again from the start.
// Of a body one piece at a time is in memory.
class RequestBody {
 public:
  // From a step's arguments `json`, `form`, `text`, `parts` or `body`; nullptr when none is there, class "invalid" for
  // more than one. `bodies` outlives it.
  static StepResult<std::unique_ptr<RequestBody>> of(const Arguments& arguments, Bodies& bodies);
  // `bodies` opens what is added; nullptr for a request of texts.
  RequestBody(std::string media_type, Bodies* bodies) : media_type_(std::move(media_type)), bodies_(bodies) {}
  ~RequestBody();
  RequestBody(const RequestBody&) = delete;
  RequestBody& operator=(const RequestBody&) = delete;

  void add(std::string text) { pieces_.emplace_back(std::move(text)); }
  void add(Handle body) { pieces_.emplace_back(std::move(body)); }
  StepResult<void> rewind();
  StepResult<std::size_t> read(std::span<std::byte> into);  // 0 = the end

  const std::string& media_type() const { return media_type_; }  // "" for none
  std::optional<std::uint64_t> size() const;                     // nullopt: a body does not say
  bool is_empty() const { return size() == 0; }

 private:
  std::string media_type_;
  Bodies* bodies_;
  std::vector<std::variant<std::string, Handle>> pieces_;
  std::size_t piece_ = 0, at_ = 0;
  std::unique_ptr<ByteReader> reader_;  // of the piece that is being read
};

// A scalar as it stands in a form or a query; class "invalid" for what has no such form. `what` names it.
StepResult<std::string> field_text(const Value& value, std::string_view what);

// "a=1&b=2" of a map of scalars and lists of scalars; null is left out.
StepResult<std::string> encode_fields(const Value& map, std::string_view what);

}  // namespace sallyport::connectors::http
