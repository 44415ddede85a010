#pragma once

#include "agent/connectors/http/transfer.h"

#include <memory>
#include <string>
#include <vector>

namespace sallyport::connectors::http {

// Which statuses are an answer, and not an error.
class Expected {
 public:
  explicit Expected(std::vector<int> statuses = {}) : statuses_(std::move(statuses)) {}  // none: 200 to 299
  bool holds(int status) const;

 private:
  std::vector<int> statuses_;
};

// Keeps a short answer in memory: at most `limit` bytes of an expected one (else class "too_large"), and the beginning
// of any other, which may say why.
class ShortAnswer : public AnswerSink {
 public:
  static constexpr std::size_t kMostTold = 8u << 10;  // of an answer that was not expected

  ShortAnswer(const Expected& expected, std::size_t limit) : expected_(expected), limit_(limit) {}
  ~ShortAnswer() override;
  void begin() override;
  StepResult<void> take(const AnswerHead& head, std::span<const std::byte> bytes) override;
  const std::string& text() const { return text_; }
  Value told() const;  // the text when it is UTF-8, as far as it was kept; else null

 protected:
  StepResult<void> take_unexpected(std::span<const std::byte> bytes);
  bool is_expected(const AnswerHead& head) const { return expected_.holds(head.status()); }

 private:
  const Expected& expected_;
  std::size_t limit_;
  std::size_t passed_over_ = 0;
  std::string text_;
};

// Writes an expected answer into the spool, at most `limit` bytes.
class SpooledAnswer final : public ShortAnswer {
 public:
  static constexpr std::size_t kMostJson = 128u << 10;

  SpooledAnswer(const Expected& expected, Bodies& bodies, std::uint64_t limit)
      : ShortAnswer(expected, 0), bodies_(bodies), limit_(limit) {}
  void begin() override;
  StepResult<void> take(const AnswerHead& head, std::span<const std::byte> bytes) override;
  StepResult<Handle> commit(const AnswerHead& head);
  Value json() const;  // what a short answer says; null when it is long or no JSON

 private:
  StepResult<void> open(const AnswerHead& head);

  Bodies& bodies_;
  std::uint64_t limit_, size_ = 0;
  std::unique_ptr<BodyWriter> spool_;
  std::string start_;
};

// The error of a status that was not expected, the most precise class first: {"status:404", "not_found"}.
StepError status_error(const AnswerHead& head, Value told);

}  // namespace sallyport::connectors::http
