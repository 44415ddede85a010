#pragma once

#include "relay/http/problem.h"
#include "relay/http/types.h"

#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace sallyport::http {

struct BodyLimits {
  std::size_t body = 1u << 20;
  std::size_t header =
      16u << 10;  // of the header block, of one chunk's header, and of the bytes kept back between two feeds
};

// Second reading of a request, by Beast's parser, from its first header byte: takes the body and checks that both
// readings agree on method, target, number of fields and framing. What they disagree on is refused, and so are chunk
// extensions and trailers. No IO. After a problem or done(), no more feeding.
class BodyReader {
 public:
  BodyReader(const RequestHead& head, BodyLimits limits);  // `head` outlives it
  ~BodyReader();

  // How many bytes at the front of `bytes` were used; the caller offers the rest again, with more behind it.
  std::expected<std::size_t, Problem> feed(std::string_view bytes);
  bool done() const;
  std::string take();  // the whole body, once done

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sallyport::http
