#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

namespace sallyport::test {

// While it lives, the allocation of this thread that follows `after` others fails. For one source file of a program:
// it replaces the program's operator new.
class FailingNew {
 public:
  explicit FailingNew(std::size_t after) : before_(left_) { left_ = after + 1; }
  FailingNew(const FailingNew&) = delete;
  FailingNew& operator=(const FailingNew&) = delete;
  ~FailingNew() { left_ = before_; }
  bool has_failed() const { return left_ == 0; }

  static void* allocate(std::size_t size) {
    const bool is_due = left_ == 1;
    if (left_ != 0) --left_;
    if (is_due) return nullptr;
    return std::malloc(size == 0 ? 1 : size);
  }

 private:
  std::size_t before_;
  static inline thread_local std::size_t left_ = 0;  // 0: no failure is due
};

}  // namespace sallyport::test

void* operator new(std::size_t size) {
  if (void* memory = sallyport::test::FailingNew::allocate(size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return sallyport::test::FailingNew::allocate(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
