#include "agent/tunnel/lookups.h"

#include "shared/async/event.h"

#include <fmt/format.h>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

namespace sallyport::tunnel {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace {

constexpr std::size_t kThreads = 2;
constexpr std::size_t kMostAtATime = 64;
constexpr std::size_t kMostAddresses = 16;

using Addresses = Result<std::vector<tcp::endpoint>>;

// Of one lookup; whoever comes last, the one who asked or the resolver, lets it go.
struct Answer {
  explicit Answer(const asio::any_io_executor& on) : came(on) {}
  Addresses addresses;
  Event came;
};

Addresses ask_system(const asio::thread_pool::executor_type& on, const Target& target) {
  boost::system::error_code bad;
  const auto found =
      tcp::resolver(on).resolve(target.host, std::to_string(target.port), tcp::resolver::numeric_service, bad);
  if (bad) return fail(Errc::unavailable, fmt::format("looking up {}: {}", target.host, bad.message()));
  std::vector<tcp::endpoint> addresses;
  for (const auto& entry : found) {
    if (addresses.size() < kMostAddresses) addresses.push_back(entry.endpoint());
  }
  return addresses;
}

}  // namespace

Lookups::~Lookups() {
  if (threads_) threads_->join();
}

asio::awaitable<Addresses> Lookups::find(Target target, SteadyTime deadline) {
  boost::system::error_code bad;
  const auto numeric = asio::ip::make_address(target.host, bad);
  if (!bad) co_return std::vector{tcp::endpoint(numeric, target.port)};
  if (*running_ >= kMostAtATime) {
    co_return fail(Errc::exhausted, fmt::format("{} names are being looked up already", kMostAtATime));
  }
  if (!threads_) threads_.emplace(kThreads);
  auto answer = std::make_shared<Answer>(executor_);
  ++*running_;
  asio::post(
      *threads_, [answer, target, executor = executor_, on = threads_->get_executor(), running = running_]() mutable {
        auto found = ask_system(on, target);
        asio::post(executor, [answer = std::move(answer), running = std::move(running), found = std::move(found)] {
          --*running;
          answer->addresses = found;
          answer->came.set();
        });
      });
  co_await answer->came.wait_until(deadline);
  if (answer->came.is_set()) co_return std::move(answer->addresses);
  if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) {
    co_return fail(Errc::cancelled, "cancelled while a name was looked up");
  }
  co_return fail(Errc::timed_out, fmt::format("looking up {}: no answer in time", target.host));
}

}  // namespace sallyport::tunnel
