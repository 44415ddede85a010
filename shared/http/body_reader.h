#pragma once

#include "shared/http/problem.h"
#include "shared/http/types.h"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace sallyport::http {

// Takes the body of one request off the front of a connection's bytes, by Content-Length or as chunks (RFC 9112 §7.1).
// Stricter than the RFC: no chunk extensions, no trailers, at most eight hexadecimal digits. Refuses a body over the
// limit before it arrives. No IO. After a problem or done(), no more feeding.
class BodyReader {
 public:
  BodyReader(const RequestHead& head, std::size_t limit);

  // How many bytes at the front of `bytes` belong to the body; all of them unless it is done then.
  std::expected<std::size_t, Problem> feed(std::string_view bytes);
  bool done() const { return state_ == State::done; }
  std::string take() { return std::move(body_); }  // the whole body, once done

 private:
  enum class State { plain, size_first, size, size_lf, data, data_cr, data_lf, last_cr, last_lf, done };

  std::expected<void, Problem> step(char c);
  std::expected<void, Problem> begin_data();
  void append(std::string_view bytes);

  std::size_t limit_;
  State state_;
  std::uint64_t left_ = 0;  // of the body, or of the chunk
  int digits_ = 0;
  std::string body_;
};

}  // namespace sallyport::http
