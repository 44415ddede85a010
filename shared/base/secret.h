#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace sallyport {

// Overwrites `size` bytes in a way the optimiser may not remove.
void wipe(void* data, std::size_t size) noexcept;

// Text or key bytes that must not leave by accident: no stream operator, no formatter, no JSON, no copy;
// wiped when it dies. Read it with reveal() at the one place that needs it.
class Secret {
 public:
  Secret() = default;
  // Takes the bytes and wipes the source.
  static Secret take(std::string& source) {
    Secret secret;
    secret.bytes_.assign(source);
    wipe(source.data(), source.size());
    source.clear();
    return secret;
  }
  static Secret take(std::string&& source) { return take(source); }
  Secret(Secret&& other) noexcept { swap(other); }
  Secret& operator=(Secret&& other) noexcept {
    swap(other);
    return *this;
  }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { wipe(bytes_.data(), bytes_.size()); }

  Secret duplicate() const {
    Secret copy;
    copy.bytes_.assign(bytes_);
    return copy;
  }
  std::string_view reveal() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }
  std::size_t size() const { return bytes_.size(); }

 private:
  void swap(Secret& other) noexcept { bytes_.swap(other.bytes_); }
  std::string bytes_;
};

}  // namespace sallyport
