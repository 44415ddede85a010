#pragma once

#include "shared/async/byte_stream.h"
#include "shared/async/timeout.h"
#include "shared/base/text.h"

#include <boost/asio/awaitable.hpp>

#include <random>

namespace sallyport::test {

inline Bytes noise(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  Bytes bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

inline boost::asio::awaitable<Result<void>> write_it(ByteStream& to, const Bytes& bytes) {
  co_return co_await to.write_all(bytes);
}

// In reads of 1 to 40,000 bytes by turns of chance; unavailable when the stream ends before.
inline boost::asio::awaitable<Result<Bytes>> read_exactly(ByteStream& from, std::size_t size, unsigned seed = 1) {
  std::mt19937 random(seed);
  Bytes all, buffer(40'000);
  while (all.size() < size) {
    SP_CO_TRY(const auto got, co_await from.read_some(std::span(buffer).first(1 + random() % buffer.size())));
    if (got == 0) co_return fail(Errc::unavailable, "closed early");
    all.insert(all.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(got));
  }
  co_return all;
}

inline boost::asio::awaitable<Result<std::size_t>> read_once(ByteStream& from) {
  std::byte buffer[64];
  co_return co_await from.read_some(buffer);
}

inline boost::asio::awaitable<void> close_soon(ByteStream& stream) {
  co_await sleep_for(std::chrono::milliseconds(20));
  stream.close();
}

}  // namespace sallyport::test
