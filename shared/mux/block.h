#pragma once

#include "shared/mux/frame.h"

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace sallyport::mux {

// Room for one full data frame: its payload, and before it what its header needs.
class Block {
 public:
  static constexpr std::size_t kRoom = kDataPayload;

  std::span<const std::byte> bytes() const { return std::span(memory_).first(end_).subspan(begin_); }
  std::span<std::byte> room() { return std::span(memory_).subspan(end_); }
  void filled(std::size_t count) { end_ += static_cast<std::uint32_t>(count); }  // at most room()
  void drop(std::size_t count) { begin_ += static_cast<std::uint32_t>(count); }  // at most bytes()
  // Header and bytes as a data frame of `channel`. Call once, on a block of which nothing was dropped.
  std::span<const std::byte> as_frame(ChannelNumber channel);

 private:
  friend class BlockPool;
  friend class BlockQueue;
  Block* next_ = nullptr;  // in a queue
  std::uint32_t begin_ = kHeaderSize;
  std::uint32_t end_ = kHeaderSize;
  std::array<std::byte, kHeaderSize + kRoom> memory_;  // not initialised
};

// Blocks of one link that are used again, so that bytes that flow cost no allocation. Outlives its blocks.
class BlockPool {
 public:
  struct GiveBack {
    BlockPool* pool = nullptr;
    void operator()(Block* block) const noexcept { pool->give_back(block); }
  };
  using Owned = std::unique_ptr<Block, GiveBack>;

  Owned take();
  // Gives to the system what nobody has needed since the last call: call it now and then.
  void rest();
  std::size_t unused() const { return unused_.size(); }

 private:
  static constexpr std::size_t kMostUnused = 64;
  void give_back(Block* block) noexcept;

  std::vector<std::unique_ptr<Block>> unused_;
  std::size_t least_unused_ = 0;  // since the last rest()
};

// Bytes in at the back, out at the front, in blocks. Holds no block while it is empty.
class BlockQueue {
 public:
  explicit BlockQueue(BlockPool& pool) : pool_(&pool) {}
  BlockQueue(BlockQueue&& other) noexcept;
  BlockQueue& operator=(BlockQueue&&) = delete;
  ~BlockQueue() { clear(); }

  void append(std::span<const std::byte> bytes);
  void append(BlockPool::Owned block);
  std::span<std::byte> room_at_end();        // of the last block; empty when there is none
  void filled_at_end(std::size_t count);     // at most room_at_end()
  std::span<const std::byte> front() const;  // of the first block; empty only when size() is 0
  void drop(std::size_t count);              // at most front()
  BlockPool::Owned take_front();             // not empty
  void clear();
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  BlockPool* pool_;
  Block* first_ = nullptr;
  Block* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace sallyport::mux
