#pragma once

#include "agent/connectors/listen/listen_actions.h"
#include "shared/async/event.h"
#include "shared/async/task_group.h"
#include "tests/support/connector_site.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::test {

inline constexpr std::string_view kSecret = "a secret of the senders";
// These bytes to a port of this machine, over a connection of their own; everything that comes back until it ends.
boost::asio::awaitable<std::string> raw(boost::asio::any_io_executor executor, std::uint16_t port, std::string bytes);
std::string signature_of(std::string_view content, std::string_view secret = kSecret);  // HMAC-SHA256 in hexadecimal

struct Answer {
  int status = 0;  // 0: curl got none
  std::string text;
  std::string header(std::string_view name) const;
  std::string body() const;
};

// http.listen@1 on a connection "hooks" on a free port, and what its sink was given.
class Listening {
 public:
  // `settings` stand beside kind, port and secret files; `rules` are those of `listen` in the policy. In both
  // @SECRET@ is a file with kSecret, @OTHER@ one with another secret.
  Listening(boost::asio::any_io_executor executor, const std::string& settings, const std::string& rules);

  // A recipe's trigger; its number. Ends with stop().
  std::size_t start(std::string recipe, ValueMap arguments);
  boost::asio::awaitable<void> stop(std::size_t number);
  boost::asio::awaitable<void> stop_all();
  boost::asio::awaitable<void> until(std::function<bool()> done);
  boost::asio::awaitable<void> until_open();
  // curl with these arguments and the path of this listener. http unless `scheme` says otherwise.
  boost::asio::awaitable<Answer> curl(std::string arguments, std::string path, std::string scheme = "http");
  boost::asio::awaitable<Answer> expect(int status, std::string arguments, std::string path,
                                        std::string scheme = "http");
  boost::asio::awaitable<std::string> raw(std::string bytes) { return test::raw(executor_, port_, std::move(bytes)); }

  std::uint16_t port() const { return port_; }
  bool told(std::string_view words) const;

  std::unique_ptr<ConnectorSite> agent;
  std::vector<connectors::TriggerEvent> events;
  std::vector<std::string> recipes;  // of the events
  std::vector<std::string> troubles;
  std::string failure;                                // class of the sink's error; empty: it takes events
  std::shared_ptr<Event> gate;                        // the sink waits for it, when there is one
  std::optional<connectors::StepResult<void>> ended;  // the last trigger that did

 private:
  boost::asio::awaitable<void> listen(std::string recipe, Value arguments);
  boost::asio::awaitable<connectors::StepResult<void>> take(std::string recipe, connectors::TriggerEvent event);

  boost::asio::any_io_executor executor_;
  TempDir files_;
  std::uint16_t port_;
  boost::asio::thread_pool thread_{2};
  std::unique_ptr<connectors::TriggerSource> trigger_;
  Event changed_;
  std::vector<std::unique_ptr<TaskGroup>> tasks_;
};

}  // namespace sallyport::test
