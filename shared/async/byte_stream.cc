#include "shared/async/byte_stream.h"

#include <vector>

namespace sallyport {

boost::asio::awaitable<Result<void>> ByteStream::write_pieces(std::span<const std::span<const std::byte>> pieces) {
  if (pieces.size() == 1) co_return co_await write_all(pieces.front());
  std::vector<std::byte> all;
  for (const auto piece : pieces) all.insert(all.end(), piece.begin(), piece.end());
  co_return co_await write_all(all);
}

}  // namespace sallyport
