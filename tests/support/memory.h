#pragma once

#include <cstddef>

namespace sallyport::test {

// The most memory this process had resident since this was made, in bytes: what is freed again counts too. A program
// that uses it gives freed memory back at once also under AddressSanitizer.
class PeakMemory {
 public:
  PeakMemory();
  std::size_t grown() const;

 private:
  std::size_t before_ = 0;
};

}  // namespace sallyport::test
