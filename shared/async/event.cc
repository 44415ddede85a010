#include "shared/async/event.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <list>

namespace sallyport {
namespace asio = boost::asio;

// Each waiter has a timer of its own, because one timer cannot carry several deadlines.
struct Event::Impl {
  asio::any_io_executor executor;
  std::list<asio::steady_timer> waiters;
  bool set = false;

  void wake_all() {
    for (auto& waiter : waiters) waiter.cancel();
  }
};

namespace {

struct Enlisted {
  std::list<asio::steady_timer>& waiters;
  std::list<asio::steady_timer>::iterator self;
  ~Enlisted() { waiters.erase(self); }
};

}  // namespace

Event::Event(asio::any_io_executor executor) : impl_(std::make_shared<Impl>(Impl{std::move(executor), {}, false})) {}

Event::~Event() { impl_->wake_all(); }

void Event::set() {
  impl_->set = true;
  impl_->wake_all();
}
void Event::clear() { impl_->set = false; }
bool Event::is_set() const { return impl_->set; }

asio::awaitable<void> Event::wait() { return wait_until(asio::steady_timer::time_point::max()); }

asio::awaitable<void> Event::wait_until(std::chrono::steady_clock::time_point deadline) {
  auto impl = impl_;
  if (impl->set) co_return;
  Enlisted mine{impl->waiters, impl->waiters.emplace(impl->waiters.end(), impl->executor, deadline)};
  co_await mine.self->async_wait(asio::as_tuple(asio::use_awaitable));
}

}  // namespace sallyport
