#include "agent/connectors/program_input.h"

#include "agent/connectors/translate.h"
#include "shared/base/secret.h"

#include <utility>

namespace sallyport::connectors {
namespace {

constexpr std::size_t kPiece = 65'536;  // what a pipe holds

}  // namespace

StepResult<std::unique_ptr<ProgramInput>> ProgramInput::open(const Arguments& arguments, Bodies& bodies) {
  auto input = std::make_unique<ProgramInput>();
  const auto* given = arguments.find("stdin");
  if (given == nullptr) return input;
  if (!given->is(Value::Kind::handle)) {
    SP_TRY(input->piece_, arguments.content("stdin"));
    return input;
  }
  SP_TRY(const auto handle, arguments.handle("stdin"));
  SP_TRY(input->reader_, bodies.open_bytes(handle));
  input->buffer_.resize(kPiece);
  SP_CHECK(input->read_piece());
  return input;
}

ProgramInput::~ProgramInput() { wipe(buffer_.data(), buffer_.size()); }

StepResult<void> ProgramInput::read_piece() {
  if (!reader_) return {};
  auto got = reader_->read(buffer_);
  if (!got) return step_in_context("reading its standard input", std::move(got).error());
  piece_ = std::span(buffer_).first(*got);
  return {};
}

Result<std::span<const std::byte>> ProgramInput::next_piece() {
  if (piece_.empty()) {
    if (auto read = read_piece(); !read) {
      error_ = std::move(read).error();
      return fail(Errc::unavailable, "its standard input cannot be read");
    }
  }
  return std::exchange(piece_, {});
}

}  // namespace sallyport::connectors
