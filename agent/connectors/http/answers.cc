#include "agent/connectors/http/answers.h"

#include "shared/base/json.h"
#include "shared/base/secret.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace sallyport::connectors::http {
namespace {

constexpr std::size_t kMostPassedOver = 64u << 10;

struct StatusClass {
  int status;
  std::string_view error_class;
};
constexpr std::array kStatusClasses{
    StatusClass{401, "permission"}, StatusClass{403, "permission"}, StatusClass{404, "not_found"},
    StatusClass{408, "timeout"},    StatusClass{409, "changed"},    StatusClass{410, "not_found"},
    StatusClass{412, "changed"},    StatusClass{413, "too_large"},  StatusClass{429, "connection"},
    StatusClass{504, "timeout"},
};

std::string_view class_of(int status) {
  const auto known = std::ranges::find(kStatusClasses, status, &StatusClass::status);
  if (known != kStatusClasses.end()) return known->error_class;
  return status >= 500 ? "connection" : "invalid";
}

// In seconds: RFC 9110 section 10.2.3 without dates, which depend on both sides' clocks.
Value retry_after(const AnswerHead& head) {
  const auto* text = head.find("retry-after");
  std::int64_t seconds = 0;
  if (text == nullptr) return {};
  const auto [end, problem] = std::from_chars(text->data(), text->data() + text->size(), seconds);
  if (problem != std::errc() || end != text->data() + text->size() || seconds < 0) return {};
  return Value(seconds);
}

}  // namespace

bool Expected::holds(int status) const {
  if (statuses_.empty()) return status >= 200 && status <= 299;
  return std::ranges::find(statuses_, status) != statuses_.end();
}

ShortAnswer::~ShortAnswer() { wipe(text_.data(), text_.size()); }

void ShortAnswer::begin() {
  wipe(text_.data(), text_.size());
  text_.clear();
  passed_over_ = 0;
}

StepResult<void> ShortAnswer::take(const AnswerHead& head, std::span<const std::byte> bytes) {
  if (!is_expected(head)) return take_unexpected(bytes);
  if (text_.size() + bytes.size() > limit_)
    return step_fail("too_large", fmt::format("the server's answer has more than {} bytes", limit_));
  text_ += as_text(bytes);
  return {};
}

StepResult<void> ShortAnswer::take_unexpected(std::span<const std::byte> bytes) {
  text_ += as_text(bytes.first(std::min(bytes.size(), kMostTold - text_.size())));
  passed_over_ += bytes.size();
  if (passed_over_ <= kMostPassedOver) return {};
  return step_fail("too_large", "the server says too much of an error");
}

Value ShortAnswer::told() const {
  auto text = text_;
  for (int cut = 0; cut < 3 && !text.empty() && !is_valid_utf8(text); ++cut) text.pop_back();
  return is_valid_utf8(text) ? Value(std::move(text)) : Value();
}

void SpooledAnswer::begin() {
  ShortAnswer::begin();
  spool_.reset();
  start_.clear();
  size_ = 0;
}

StepResult<void> SpooledAnswer::open(const AnswerHead& head) {
  if (spool_) return {};
  const auto* type = head.find("content-type");
  const bool usable = type != nullptr && type->size() <= 256 && is_valid_utf8(*type);
  SP_TRY(spool_, bodies_.new_spool(usable ? *type : "application/octet-stream"));
  return {};
}

StepResult<void> SpooledAnswer::take(const AnswerHead& head, std::span<const std::byte> bytes) {
  if (!is_expected(head)) return take_unexpected(bytes);
  SP_CHECK(open(head));
  size_ += bytes.size();
  if (size_ > limit_)
    return step_fail("too_large", fmt::format("the server's answer has more than {} bytes, the limit of the local "
                                              "policy (limits.bytes)",
                                              limit_));
  if (size_ <= kMostJson) start_ += as_text(bytes);
  return spool_->write(bytes);
}

StepResult<Handle> SpooledAnswer::commit(const AnswerHead& head) {
  SP_CHECK(open(head));
  return spool_->commit({});
}

Value SpooledAnswer::json() const {
  if (size_ > kMostJson) return {};
  auto value = parse_json(start_, {.max_bytes = kMostJson}).value_or(Value());
  return stored_json(value).size() <= kMostJson ? std::move(value) : Value();  // 1e20 has 21 digits
}

StepError status_error(const AnswerHead& head, Value told) {
  StepError error{{fmt::format("status:{}", head.status()), std::string(class_of(head.status()))},
                  fmt::format("the server answered with status {}", head.status()),
                  {}};
  error.output = Value(ValueMap{{Value("status"), Value(head.status())},
                                {Value("retry_after"), retry_after(head)},
                                {Value("text"), std::move(told)}});
  return error;
}

}  // namespace sallyport::connectors::http
