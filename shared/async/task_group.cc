#include "shared/async/task_group.h"

#include "shared/async/fault.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdio>
#include <cstdlib>
#include <list>
#include <vector>

namespace sallyport {
namespace asio = boost::asio;

struct TaskGroup::Impl {
  struct Task {
    std::string name;
    std::shared_ptr<asio::cancellation_signal> cancel = std::make_shared<asio::cancellation_signal>();
  };

  asio::any_io_executor executor;
  OnFault on_fault;
  asio::steady_timer drained;
  std::list<Task> tasks;
  bool stopping = false;
};

TaskGroup::TaskGroup(const asio::any_io_executor& executor, OnFault on_fault)
    : impl_(std::make_shared<Impl>(Impl{executor,
                                        std::move(on_fault),
                                        asio::steady_timer(executor, asio::steady_timer::time_point::max()),
                                        {},
                                        false})) {}

TaskGroup::~TaskGroup() {
  if (impl_->tasks.empty()) return;
  std::fprintf(stderr, "a TaskGroup was destroyed while task \"%s\" still ran\n", impl_->tasks.front().name.c_str());
  std::abort();
}

std::size_t TaskGroup::size() const { return impl_->tasks.size(); }

void TaskGroup::spawn(std::string name, asio::awaitable<void> task) {
  if (impl_->stopping) return;
  const auto it = impl_->tasks.emplace(impl_->tasks.end());
  it->name = std::move(name);
  auto on_done = [impl = impl_, it](const std::exception_ptr& fault) {
    if (fault && !(impl->stopping && is_cancellation(fault))) impl->on_fault(it->name, fault_text(fault));
    impl->tasks.erase(it);
    if (impl->tasks.empty()) impl->drained.cancel();
  };
  asio::co_spawn(impl_->executor, std::move(task),
                 asio::bind_cancellation_slot(it->cancel->slot(), std::move(on_done)));
}

void TaskGroup::stop() {
  impl_->stopping = true;
  // emit() may run a task to its end, which erases it from the list: signals are collected first.
  std::vector<std::shared_ptr<asio::cancellation_signal>> signals;
  for (const auto& task : impl_->tasks) signals.push_back(task.cancel);
  for (const auto& signal : signals) signal->emit(asio::cancellation_type::terminal);
}

asio::awaitable<void> TaskGroup::join() {
  auto impl = impl_;
  // A cancel of the joiner must neither end the wait nor be forgotten: it takes effect at the joiner's next suspension.
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!impl->tasks.empty()) {
    co_await impl->drained.async_wait(
        asio::bind_cancellation_slot(asio::cancellation_slot(), asio::as_tuple(asio::use_awaitable)));
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
}

}  // namespace sallyport
