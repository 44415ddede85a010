#pragma once

#include "shared/base/value.h"

#include <span>

namespace sallyport::mux {

// Bytes in at the back, out at the front. Gives its memory back when it runs empty, so that an idle channel costs
// nothing.
class ByteQueue {
 public:
  void append(std::span<const std::byte> bytes);
  std::span<const std::byte> front() const { return std::span(bytes_).subspan(head_); }
  void drop(std::size_t count);  // at most size()
  void clear() { *this = {}; }
  std::size_t size() const { return bytes_.size() - head_; }
  bool empty() const { return size() == 0; }

 private:
  Bytes bytes_;
  std::size_t head_ = 0;
};

}  // namespace sallyport::mux
