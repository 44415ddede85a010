#include "agent/platform/heap.h"

#include <cstddef>

#include <malloc.h>

namespace sallyport::platform {
namespace {

constexpr std::size_t kMuch = 2u << 20;

}  // namespace

// glibc keeps what was freed in the middle of its arenas until it is asked.
void give_back_heap() {
  if (::mallinfo2().fordblks > kMuch) ::malloc_trim(0);
}

}  // namespace sallyport::platform
