#include "shared/mux/block.h"

#include <algorithm>
#include <utility>

namespace sallyport::mux {

std::span<const std::byte> Block::as_frame(ChannelNumber channel) {
  write_header(std::span(memory_).first<kHeaderSize>(), channel, FrameType::data, end_ - kHeaderSize);
  return std::span(memory_).first(end_);
}

BlockPool::Owned BlockPool::take() {
  if (unused_.capacity() == 0) unused_.reserve(kMostUnused);
  if (unused_.empty()) return Owned(std::make_unique_for_overwrite<Block>().release(), GiveBack{this});
  Owned block(unused_.back().release(), GiveBack{this});
  unused_.pop_back();
  least_unused_ = std::min(least_unused_, unused_.size());
  return block;
}

void BlockPool::give_back(Block* block) noexcept {
  std::unique_ptr<Block> owned(block);
  if (unused_.size() == unused_.capacity()) return;
  block->next_ = nullptr;
  block->begin_ = block->end_ = kHeaderSize;
  unused_.push_back(std::move(owned));
}

void BlockPool::rest() {
  unused_.resize(unused_.size() - least_unused_);
  if (unused_.empty()) unused_ = decltype(unused_)();
  least_unused_ = unused_.size();
}

BlockQueue::BlockQueue(BlockQueue&& other) noexcept
    : pool_(other.pool_),
      first_(std::exchange(other.first_, nullptr)),
      last_(std::exchange(other.last_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

void BlockQueue::append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (room_at_end().empty()) append(pool_->take());
    const auto room = room_at_end();
    const auto count = std::min(room.size(), bytes.size());
    std::copy_n(bytes.begin(), count, room.begin());
    filled_at_end(count);
    bytes = bytes.subspan(count);
  }
}

void BlockQueue::append(BlockPool::Owned block) {
  auto* added = block.release();
  (last_ == nullptr ? first_ : last_->next_) = added;
  last_ = added;
  size_ += added->bytes().size();
}

std::span<std::byte> BlockQueue::room_at_end() { return last_ == nullptr ? std::span<std::byte>() : last_->room(); }

void BlockQueue::filled_at_end(std::size_t count) {
  last_->filled(count);
  size_ += count;
}

std::span<const std::byte> BlockQueue::front() const {
  return first_ == nullptr ? std::span<const std::byte>() : first_->bytes();
}

void BlockQueue::drop(std::size_t count) {
  first_->drop(count);
  size_ -= count;
  if (first_->bytes().empty()) (void)take_front();
}

BlockPool::Owned BlockQueue::take_front() {
  BlockPool::Owned block(first_, {pool_});
  first_ = std::exchange(block->next_, nullptr);
  if (first_ == nullptr) last_ = nullptr;
  size_ -= block->bytes().size();
  return block;
}

void BlockQueue::clear() {
  while (first_ != nullptr) (void)take_front();
}

}  // namespace sallyport::mux
