#include "agent/connectors/arguments.h"
#include "agent/connectors/listen/listen_actions.h"
#include "agent/connectors/listen/listener.h"
#include "agent/connectors/translate.h"
#include "shared/async/event.h"
#include "shared/async/timeout.h"

#include <fmt/format.h>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <map>
#include <utility>

namespace sallyport::connectors::listen {
namespace asio = boost::asio;
using namespace std::chrono_literals;
using Concern = TriggerSource::Concern;
namespace {

constexpr std::chrono::seconds kFirstPause = 1s;
constexpr std::chrono::seconds kLongestPause = 60s;

asio::awaitable<bool> is_cancelled() {
  co_return (co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none;
}

class ListenTrigger final : public TriggerSource {
 public:
  explicit ListenTrigger(Site site) : site_(site) {}
  std::string_view name() const override { return "http.listen@1"; }

  asio::awaitable<StepResult<void>> run(TriggerSpec spec, TriggerSink sink, Trouble trouble) override {
    SP_CO_CHECK(to_step(site_.policy.check_action(name(), spec.connection)));
    SP_CO_TRY(const auto* connection, find_connection(site_, spec.connection, "http-listen"));
    const Arguments arguments(spec.arguments);
    const auto route = std::make_shared<Route>();
    SP_CO_TRY(route->path, arguments.text("path"));
    route->method = arguments.text_or("method", "POST");
    route->recipe = spec.recipe;
    route->sink = std::move(sink);
    SP_CO_TRY(const auto* rule, to_step(site_.policy.find_listen(spec.connection)));
    SP_CO_CHECK(to_step(rule->check(route->path, route->method, route->recipe)));
    if (connection->listen()->find(route->path) == nullptr)
      co_return step_fail("not_found", fmt::format("the connection {} has no such path", spec.connection));
    co_await asio::this_coro::throw_if_cancelled(false);
    if (!co_await enter(*connection, trouble)) co_return StepResult<void>();
    co_return co_await listen(*connection, route);
  }

 private:
  // One port, and how many recipes are on their way through it.
  struct Port {
    std::unique_ptr<Listener> listener;
    std::size_t users = 0;
    bool is_closing = false;
    std::shared_ptr<Event> closed;
  };

  // Until the port is open; false when that was not to be.
  asio::awaitable<bool> enter(const policy::Connection& connection, const Trouble& trouble) {
    std::string told;
    for (auto pause = kFirstPause; !co_await is_cancelled(); pause = std::min(2 * pause, kLongestPause)) {
      const auto closing = ports_.find(connection.name);
      if (closing != ports_.end() && closing->second.is_closing) {
        const auto closed = closing->second.closed;
        co_await closed->wait();
        continue;
      }
      const auto opened = open(connection, co_await asio::this_coro::executor);
      if (opened) {
        if (!told.empty()) co_await trouble(Concern::waits, "");
        co_return true;
      }
      auto error = without_settings(site_.log, connection.name, "listening on", to_step_error(opened.error()));
      if (std::exchange(told, error.message) != error.message) co_await trouble(Concern::waits, error.message);
      co_await sleep_for(pause);
    }
    co_return false;
  }

  // The caller leaves it again.
  Result<void> open(const policy::Connection& connection, const asio::any_io_executor& executor) {
    auto& port = ports_[connection.name];
    if (!port.listener) {
      auto listener = std::make_unique<Listener>(site_, connection, executor);
      if (auto opened = listener->open(); !opened) {
        ports_.erase(connection.name);
        return opened;
      }
      port = {std::move(listener), 0, false, std::make_shared<Event>(executor)};
    }
    ++port.users;
    return {};
  }

  asio::awaitable<StepResult<void>> listen(const policy::Connection& connection, std::shared_ptr<Route> route) {
    auto& port = ports_.at(connection.name);
    auto added = port.listener->add(route);
    if (added) {
      Event never(co_await asio::this_coro::executor);
      while (!co_await is_cancelled()) co_await never.wait();
    }
    co_await port.listener->remove(std::move(route));
    if (--port.users == 0) co_await close(connection.name);
    co_return added;
  }

  asio::awaitable<void> close(std::string name) {
    auto& port = ports_.at(name);
    port.is_closing = true;
    const auto closed = port.closed;
    co_await port.listener->close();
    ports_.erase(name);
    closed->set();
  }

  Site site_;
  std::map<std::string, Port> ports_;  // by connection; on the agent's loop
};

}  // namespace

std::unique_ptr<TriggerSource> make_listen_trigger(Site site) { return std::make_unique<ListenTrigger>(site); }

}  // namespace sallyport::connectors::listen
