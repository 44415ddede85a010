#pragma once

#include "shared/mux/block.h"

#include <span>
#include <vector>

namespace sallyport::mux {

// Frames for one write, in pieces: data frames where they lie, and what is small between them gathered. No frame is in
// two pieces. Used again and again it allocates nothing; its blocks' pool outlives it.
class Batch {
 public:
  // The payload is copied.
  void append(const Frame& frame);
  // The block's bytes as a data frame; small ones are copied, and the block given back.
  void append(ChannelNumber channel, BlockPool::Owned block);

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Valid until the batch is changed.
  std::span<const std::span<const std::byte>> pieces();
  void clear();
  void rest();  // gives back all memory

 private:
  struct Piece {
    std::size_t gathered = 0;          // bytes, the next ones in gathered_
    std::span<const std::byte> frame;  // or one in `block`
    BlockPool::Owned block;
  };

  std::size_t size_ = 0;
  Bytes gathered_;
  std::vector<Piece> pieces_;
  std::vector<std::span<const std::byte>> spans_;
};

// All of it in one piece.
Bytes joined(Batch& batch);

}  // namespace sallyport::mux
