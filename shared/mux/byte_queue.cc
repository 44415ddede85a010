#include "shared/mux/byte_queue.h"

namespace sallyport::mux {

void ByteQueue::append(std::span<const std::byte> bytes) {
  // Moving the rest to the front costs less than what was dropped since the last move, so appending stays linear.
  if (head_ > 0 && head_ >= bytes_.size() / 2) {
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

void ByteQueue::drop(std::size_t count) {
  head_ += count;
  if (head_ == bytes_.size()) clear();
}

}  // namespace sallyport::mux
