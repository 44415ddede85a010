#pragma once

#include "agent/connectors/bodies.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>

// Bodies in memory for steps that move files: something happens in the middle of them.
namespace sallyport::test {

// Does something once, in the middle of a body.
struct Interruption {
  std::size_t at;
  std::function<void()> act;
  std::size_t passed = 0;
  bool done = false;
  void pass(std::size_t bytes) {
    passed += bytes;
    if (!done && passed > at) done = true, act();
  }
};

class InterruptedReader final : public connectors::ByteReader {
 public:
  InterruptedReader(std::string text, Interruption& interruption)
      : text_(std::move(text)), interruption_(interruption) {}
  connectors::StepResult<std::size_t> read(std::span<std::byte> into) override {
    const auto count = std::min({into.size(), text_.size() - at_, std::size_t{65'536}});
    std::ranges::copy(as_bytes(text_).subspan(at_, count), into.begin());
    at_ += count;
    interruption_.pass(count);
    return count;
  }

 private:
  std::string text_;
  std::size_t at_ = 0;
  Interruption& interruption_;
};

class InterruptedWriter final : public connectors::BodyWriter {
 public:
  InterruptedWriter(std::string& text, Interruption& interruption) : text_(text), interruption_(interruption) {}
  connectors::StepResult<void> write(std::span<const std::byte> bytes) override {
    text_ += as_text(bytes);
    interruption_.pass(bytes.size());
    return {};
  }
  connectors::StepResult<Handle> commit(ValueMap) override { return Handle{"spool", {}}; }

 private:
  std::string& text_;
  Interruption& interruption_;
};

struct InterruptedBodies final : connectors::Bodies {
  explicit InterruptedBodies(Interruption& by) : interruption(by) {}
  connectors::StepResult<std::unique_ptr<connectors::ByteReader>> open_bytes(const Handle&) override {
    return std::make_unique<InterruptedReader>(source, interruption);
  }
  connectors::StepResult<std::unique_ptr<connectors::RowReader>> open_rows(const Handle&) override {
    return connectors::step_fail("invalid", "no rows");
  }
  connectors::StepResult<std::unique_ptr<connectors::BodyWriter>> new_spool(std::string) override {
    return std::make_unique<InterruptedWriter>(received, interruption);
  }
  Interruption& interruption;
  std::string source, received;
};

// A source that fails after some bytes.
struct FailingBodies final : connectors::Bodies {
  struct Failing final : connectors::ByteReader {
    connectors::StepResult<std::size_t> read(std::span<std::byte> into) override {
      if (++reads > 40) return connectors::step_fail("disk_full", "the source fails");
      std::ranges::fill(into, std::byte{7});
      return into.size();
    }
    int reads = 0;
  };
  connectors::StepResult<std::unique_ptr<connectors::ByteReader>> open_bytes(const Handle&) override {
    return std::make_unique<Failing>();
  }
  connectors::StepResult<std::unique_ptr<connectors::RowReader>> open_rows(const Handle&) override {
    return connectors::step_fail("invalid", "no rows");
  }
  connectors::StepResult<std::unique_ptr<connectors::BodyWriter>> new_spool(std::string) override {
    return connectors::step_fail("invalid", "no spool");
  }
};

}  // namespace sallyport::test
