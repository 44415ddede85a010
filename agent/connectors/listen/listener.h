#pragma once

#include "agent/connectors/site.h"
#include "agent/connectors/trigger.h"
#include "shared/async/call_buckets.h"
#include "shared/async/event.h"
#include "shared/async/task_group.h"
#include "shared/base/metrics.h"
#include "shared/http/server.h"
#include "shared/http/types.h"

#include <boost/asio/any_io_executor.hpp>

#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::connectors::listen {

// What one recipe listens for.
struct Route {
  std::string recipe, path, method;
  TriggerSink sink;
};

// The open port of one connection: believes or refuses what comes (proof.h), makes events of it (request_event.h), and
// answers 202 when the recipe's sink has taken one. Runs on the executor it is given, one thread.
class Listener final : public http::Handler {
 public:
  // What `site` has outlives it, and so does `connection`, of kind "http-listen".
  Listener(Site site, const policy::Connection& connection, const boost::asio::any_io_executor& executor);

  // Binds the port and serves until close(). The error has settings in it.
  Result<void> open();
  // Not before the requests under way have ended, or been cut. Call it once, after open() was good.
  boost::asio::awaitable<void> close();

  // From now on these requests are `route`'s. Class "invalid" when they are another recipe's.
  StepResult<void> add(const std::shared_ptr<Route>& route);
  // Returns when its sink is not, and will not be, called.
  boost::asio::awaitable<void> remove(std::shared_ptr<Route> route);
  bool is_unused() const { return routes_.empty(); }

  boost::asio::awaitable<http::Admission> admit(const http::RequestHead& head) override;

 private:
  class RequestExchange;
  struct Place {
    std::shared_ptr<Route> route;
    std::size_t under_way = 0;  // in its sink
    std::shared_ptr<Event> idle;
    bool is_leaving = false;
  };

  std::expected<std::shared_ptr<Place>, http::Response> place_for(const http::RequestHead& head) const;
  StepResult<std::vector<Secret>> secrets_of(const policy::ListenSender& sender) const;
  std::expected<void, http::Response> check_sender(const policy::ListenSender& sender, const http::RequestHead& head,
                                                   std::string_view body, std::string& identity) const;
  boost::asio::awaitable<http::Response> take(std::shared_ptr<Place> place, const policy::ListenSender& sender,
                                              http::Request request);
  boost::asio::awaitable<void> renew_certificate();

  Site site_;
  const policy::Connection& connection_;
  const policy::ListenConnection& settings_;
  boost::asio::any_io_executor executor_;
  CallBuckets buckets_;
  Metrics metrics_;
  std::vector<std::shared_ptr<Place>> routes_;
  http::Server server_;
  TaskGroup tasks_;
};

}  // namespace sallyport::connectors::listen
