#include "shared/mux/batch.h"

namespace sallyport::mux {
namespace {
// Beyond this a piece of its own costs less than a copy.
constexpr std::size_t kGathered = 2u << 10;
}  // namespace

void Batch::append(const Frame& frame) {
  if (pieces_.empty() || pieces_.back().block) pieces_.emplace_back();
  append_frame(gathered_, frame);
  const auto size = kHeaderSize + frame.payload.size();
  pieces_.back().gathered += size;
  size_ += size;
}

void Batch::append(ChannelNumber channel, BlockPool::Owned block) {
  const auto bytes = block->bytes();
  if (bytes.size() <= kGathered) return append({channel, FrameType::data, bytes});
  const auto frame = block->as_frame(channel);
  size_ += frame.size();
  pieces_.push_back({0, frame, std::move(block)});
}

std::span<const std::span<const std::byte>> Batch::pieces() {
  spans_.clear();
  std::size_t at = 0;
  for (const auto& piece : pieces_) {
    spans_.push_back(piece.block ? piece.frame : std::span<const std::byte>(gathered_).subspan(at, piece.gathered));
    at += piece.gathered;
  }
  return spans_;
}

void Batch::clear() {
  size_ = 0;
  gathered_.clear();
  pieces_.clear();
  spans_.clear();
}

void Batch::rest() {
  clear();
  gathered_ = Bytes();
  pieces_ = std::vector<Piece>();
  spans_ = decltype(spans_)();
}

Bytes joined(Batch& batch) {
  Bytes all;
  all.reserve(batch.size());
  for (const auto piece : batch.pieces()) all.insert(all.end(), piece.begin(), piece.end());
  return all;
}

}  // namespace sallyport::mux
