#pragma once

#include <malloc.h>

#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>

namespace sallyport::test {

// While it lives, whether memory that is given back still holds `text`, which outlives it. One at a time of a thread,
// for one source file of a program: it replaces the program's operator new and delete.
class FreedText {
 public:
  explicit FreedText(std::string_view text) {
    text_ = text;
    was_seen_ = false;
  }
  FreedText(const FreedText&) = delete;
  FreedText& operator=(const FreedText&) = delete;
  ~FreedText() { text_ = {}; }
  bool was_seen() const { return was_seen_; }

  static void release(void* memory) {
    if (memory != nullptr && !text_.empty() &&
        ::memmem(memory, ::malloc_usable_size(memory), text_.data(), text_.size()) != nullptr)
      was_seen_ = true;
    std::free(memory);
  }

 private:
  static inline thread_local std::string_view text_;
  static inline thread_local bool was_seen_ = false;
};

}  // namespace sallyport::test

void* operator new(std::size_t size) {
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return std::malloc(size == 0 ? 1 : size); }
void operator delete(void* memory) noexcept { sallyport::test::FreedText::release(memory); }
void operator delete(void* memory, std::size_t) noexcept { sallyport::test::FreedText::release(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { sallyport::test::FreedText::release(memory); }
