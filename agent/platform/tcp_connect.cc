#include "agent/platform/tcp_connect.h"

#include "shared/async/event.h"
#include "shared/async/socket_options.h"
#include "shared/async/task_group.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <optional>

namespace sallyport::platform {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace {

struct Race {
  explicit Race(const asio::any_io_executor& on)
      : changed(on), attempts(on, [this](const auto&, const auto& why) { lose({Errc::unavailable, why}); }) {}

  void lose(const Error& problem) {
    problems += (problems.empty() ? "" : "; ") + problem.message;
    if (problem.code == Errc::exhausted) why = Errc::exhausted;
    ++lost;
    changed.set();
  }

  std::optional<tcp::socket> winner;
  std::string problems;
  Errc why = Errc::unavailable;
  std::vector<std::string> waited_for;
  std::size_t begun = 0;
  std::size_t lost = 0;
  Event changed;
  TaskGroup attempts;
};

asio::awaitable<void> attempt(Race& race, tcp::endpoint address) {
  const auto name = address.address().to_string();
  race.waited_for.push_back(name);
  auto socket = co_await connect_one(address);
  if (!socket) {
    race.waited_for.erase(std::ranges::find(race.waited_for, name));
    co_return race.lose({socket.error().code, name + ": " + socket.error().message});
  }
  if (!race.winner) race.winner.emplace(std::move(*socket));
  race.changed.set();
}

// Until one has won, all have lost, the deadline passed or the caller was cancelled.
asio::awaitable<void> run_race(Race& race, const std::vector<tcp::endpoint>& addresses, std::chrono::milliseconds apart,
                               SteadyTime deadline) {
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  SteadyTime next_at{};
  while (!race.winner && race.lost < addresses.size() && cancellation.cancelled() == asio::cancellation_type::none) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= deadline) co_return;
    const bool more = race.begun < addresses.size();
    if (more && (now >= next_at || race.lost == race.begun)) {
      race.attempts.spawn("connect", attempt(race, addresses[race.begun++]));
      next_at = now + apart;
      continue;
    }
    race.changed.clear();
    co_await race.changed.wait_until(more ? std::min(next_at, deadline) : deadline);
  }
}

Result<tcp::socket> outcome_of(Race& race, std::size_t addresses, bool cancelled) {
  if (race.winner) return *std::move(race.winner);
  if (cancelled) return fail(Errc::cancelled, "cancelled while it was connecting");
  if (race.lost == addresses) return fail(race.why, race.problems);
  return fail(Errc::timed_out, fmt::format("{}{}no answer in time from {}", race.problems,
                                           race.problems.empty() ? "" : "; ", fmt::join(race.waited_for, ", ")));
}

}  // namespace

Error connect_error(const boost::system::error_code& why) {
  using boost::system::errc::no_buffer_space;
  using boost::system::errc::not_enough_memory;
  using boost::system::errc::too_many_files_open;
  using boost::system::errc::too_many_files_open_in_system;
  const bool short_of = why == too_many_files_open || why == too_many_files_open_in_system || why == no_buffer_space ||
                        why == not_enough_memory;
  return {short_of ? Errc::exhausted : Errc::unavailable, why.message()};
}

boost::system::error_code check_peer(tcp::socket& socket) {
  boost::system::error_code no_local, no_remote, ignored;
  const auto local = socket.local_endpoint(no_local);
  const auto remote = socket.remote_endpoint(no_remote);
  if (no_local || no_remote || local != remote) return {};
  (void)set_closing(socket, Closing::by_reset);
  socket.close(ignored);
  return asio::error::connection_refused;
}

asio::awaitable<Result<tcp::socket>> connect_one(tcp::endpoint address) {
  tcp::socket socket(co_await asio::this_coro::executor);
  auto [bad] = co_await socket.async_connect(address, asio::as_tuple(asio::use_awaitable));
  if (!bad) bad = check_peer(socket);
  if (bad) co_return std::unexpected(connect_error(bad));
  co_return socket;
}

std::vector<tcp::endpoint> alternate_families(std::vector<tcp::endpoint> addresses) {
  std::vector<tcp::endpoint> first, second, order;
  for (const auto& address : addresses) {
    const bool like_first = address.protocol() == addresses.front().protocol();
    (like_first ? first : second).push_back(address);
  }
  for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i < first.size()) order.push_back(first[i]);
    if (i < second.size()) order.push_back(second[i]);
  }
  return order;
}

asio::awaitable<Result<tcp::socket>> connect_first(std::vector<tcp::endpoint> addresses,
                                                   std::chrono::milliseconds apart, SteadyTime deadline) {
  if (addresses.empty()) co_return fail(Errc::unavailable, "there is no address to connect to");
  addresses = alternate_families(std::move(addresses));
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  Race race(co_await asio::this_coro::executor);
  co_await run_race(race, addresses, apart, deadline);
  const auto state = co_await asio::this_coro::cancellation_state;
  // Before the others are stopped, which is not why they failed.
  auto outcome = outcome_of(race, addresses.size(), state.cancelled() != asio::cancellation_type::none);
  race.attempts.stop();
  co_await race.attempts.join();
  co_await asio::this_coro::throw_if_cancelled(throws);
  co_return outcome;
}

}  // namespace sallyport::platform
