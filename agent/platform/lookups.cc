#include "agent/platform/lookups.h"

#include "shared/async/event.h"

#include <fmt/format.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <deque>
#include <map>

namespace sallyport::platform {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace {

constexpr std::size_t kMostAtATime = 64;
constexpr std::size_t kMostAddresses = 16;

}  // namespace

// Of one name; those who wait for it hold it, and the thread that works on it.
struct Lookups::Answer {
  explicit Answer(const asio::any_io_executor& on) : came(on) {}
  Addresses addresses;
  Event came;
};

Lookups::Addresses Lookups::ask_system(const std::string& host) {
  asio::io_context here;
  boost::system::error_code bad;
  const auto found = tcp::resolver(here).resolve(host, "", bad);
  if (bad) return fail(Errc::unavailable, fmt::format("looking up {}: {}", host, bad.message()));
  std::vector<asio::ip::address> addresses;
  for (const auto& entry : found) {
    if (addresses.size() < kMostAddresses) addresses.push_back(entry.endpoint().address());
  }
  return addresses;
}

// Outlives Lookups when its handlers do. Each name is in `names`, and until a thread takes it also in `line`.
struct Lookups::Desk : std::enable_shared_from_this<Desk> {
  Desk(asio::any_io_executor on, std::size_t at_a_time, Resolve how)
      : executor(std::move(on)), places(at_a_time), resolve(std::move(how)) {}

  bool is_wanted(const std::string& host) const { return !names.at(host).expired(); }
  void drop_unwanted();
  void begin_next();
  void answered(const std::string& host, Answer& answer, Addresses found);

  const asio::any_io_executor executor;
  const std::size_t places;
  const Resolve resolve;
  asio::thread_pool* threads = nullptr;
  std::size_t busy = 0;
  std::deque<std::string> line;
  std::map<std::string, std::weak_ptr<Answer>> names;  // nobody waits for those that are gone
};

void Lookups::Desk::drop_unwanted() {
  std::erase_if(line, [&](const auto& host) { return !is_wanted(host) && names.erase(host) > 0; });
}

void Lookups::Desk::begin_next() {
  drop_unwanted();
  while (threads != nullptr && busy < places && !line.empty()) {
    const auto host = line.front();
    line.pop_front();
    ++busy;
    asio::post(*threads, [desk = shared_from_this(), host, answer = names.at(host).lock()]() mutable {
      auto found = desk->resolve(host);
      const auto on = desk->executor;
      asio::post(on, [desk = std::move(desk), host, answer = std::move(answer), found = std::move(found)]() mutable {
        desk->answered(host, *answer, std::move(found));
      });
    });
  }
}

void Lookups::Desk::answered(const std::string& host, Answer& answer, Addresses found) {
  --busy;
  names.erase(host);
  answer.addresses = std::move(found);
  answer.came.set();
  begin_next();
}

Lookups::Lookups(asio::any_io_executor executor, std::size_t threads, Resolve resolve)
    : desk_(std::make_shared<Desk>(std::move(executor), threads, std::move(resolve))) {}

Lookups::~Lookups() {
  desk_->threads = nullptr;
  if (!threads_) return;
  threads_->stop();
  threads_->join();
}

Result<std::shared_ptr<Lookups::Answer>> Lookups::answer_for(const std::string& host) {
  auto& desk = *desk_;
  desk.drop_unwanted();
  if (const auto at = desk.names.find(host); at != desk.names.end()) {
    if (auto answer = at->second.lock()) return answer;
  }
  if (desk.names.size() >= kMostAtATime) {
    return fail(Errc::exhausted, fmt::format("{} names are being looked up already", kMostAtATime));
  }
  if (!threads_) desk.threads = &threads_.emplace(desk.places);
  auto answer = std::make_shared<Answer>(desk.executor);
  desk.names[host] = answer;
  desk.line.push_back(host);
  desk.begin_next();
  return answer;
}

asio::awaitable<Result<std::vector<tcp::endpoint>>> Lookups::find(std::string host, std::uint16_t port,
                                                                  SteadyTime deadline) {
  boost::system::error_code bad;
  const auto numeric = asio::ip::make_address(host, bad);
  if (!bad) co_return std::vector{tcp::endpoint(numeric, port)};
  SP_CO_TRY(const auto answer, answer_for(host));
  co_await answer->came.wait_until(deadline);
  if (answer->came.is_set()) {
    SP_CO_TRY(const auto addresses, answer->addresses);
    std::vector<tcp::endpoint> endpoints;
    endpoints.reserve(addresses.size());
    for (const auto& address : addresses) endpoints.emplace_back(address, port);
    co_return endpoints;
  }
  if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) {
    co_return fail(Errc::cancelled, "cancelled while a name was looked up");
  }
  co_return fail(Errc::timed_out, fmt::format("looking up {}: no answer in time", host));
}

}  // namespace sallyport::platform
