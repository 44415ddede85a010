#include "shared/link/session.h"
#include "tests/support/async_test.h"
#include "tests/support/scripted_owner.h"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <vector>

using namespace sallyport;
using namespace sallyport::test;
namespace asio = boost::asio;

namespace {

// Gives so many bytes at each read, and notes how many were asked for.
struct Dosed final : ByteStream {
  Dosed(std::vector<std::size_t> doses, std::vector<std::size_t>& asked) : doses_(std::move(doses)), asked_(asked) {}

  asio::awaitable<Result<std::size_t>> read_some(std::span<std::byte> into) override {
    asked_.push_back(into.size());
    if (next_ == doses_.size()) co_return std::size_t{0};
    const auto size = std::min(doses_[next_++], into.size());
    std::ranges::fill(into.first(size), std::byte{0});
    co_return size;
  }
  asio::awaitable<Result<void>> write_all(std::span<const std::byte>) override { co_return Result<void>(); }
  void close() noexcept override {}

 private:
  std::vector<std::size_t> doses_;
  std::vector<std::size_t>& asked_;
  std::size_t next_ = 0;
};

}  // namespace

// Ten thousand links are idle at one time, each of which holds what it reads into. Zeros are no frame of ours, so the
// link ends at once; the rest is read and dropped by the same rules.
ASYNC_TEST_CASE("a link reads into little memory until more comes", "[link]") {
  const SystemClock clock;
  ScriptedOwner owner;
  std::vector<std::size_t> asked;
  const std::vector<std::size_t> doses{511, 512, 4'095, 4'096, 100'000, 1'000, 511, 5, 512};
  link::Session session(co_await asio::this_coro::executor, std::make_unique<Dosed>(doses, asked),
                        patient_options(mux::Side::relay), owner, clock);
  const auto end = co_await session.run();
  CHECK(end.end == link::LinkEnd::protocol_error);
  const std::size_t large = 128u << 10;
  CHECK(asked == std::vector<std::size_t>{512, 512, 4'096, 4'096, large, large, large, 512, 512, large});
}
