#include "relay/api/tunnel_events.h"

#include "relay/api/authenticator.h"
#include "relay/api/replies.h"
#include "relay/api/tunnel_shapes.h"
#include "shared/async/timeout.h"
#include "shared/base/json.h"

#include <deque>
#include <map>

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds kLook{1};
constexpr std::chrono::seconds kTokenCheck{5};
constexpr int kLooksForRecord = 5;  // until an end is told without what the store knows of it

Value figures(const store::Tunnel& tunnel, const tunnels::Standing& standing) {
  const auto& problem = standing.problem;
  return Object()
      .put("status", to_string(tunnel.status))
      .put("entrance", Object()
                           .put("state", to_string(standing.entrance))
                           .put("problem", problem.empty() ? Value() : Value(problem))
                           .done())
      .put("open_connections", std::uint64_t{standing.open_connections})
      .put("to_target", standing.to_target)
      .put("from_target", standing.from_target)
      .done();
}

class TunnelEvents final : public http::EventSource {
 public:
  TunnelEvents(Services& services, TunnelWatch watch)
      : services_(services), watch_(std::move(watch)), checked_(services.clock.steady()) {}

  asio::awaitable<std::optional<http::ServerEvent>> next(SteadyTime deadline) override {
    for (;;) {
      if (!ready_.empty()) co_return take();
      if (over_) co_return std::nullopt;
      if (begun_) co_await sleep_for(kLook);
      begun_ = true;
      if (co_await may_go_on()) co_await look();
      if (ready_.empty() && services_.clock.steady() >= deadline) co_return http::ServerEvent{};
    }
  }

 private:
  using Open = std::map<TunnelConnectionId, store::TunnelConnection>;
  struct Leaving {
    store::TunnelConnection last;
    int looks = 0;
  };

  http::ServerEvent take() {
    auto event = std::move(ready_.front());
    ready_.pop_front();
    return event;
  }
  void tell(std::string name, const Value& data) { ready_.push_back({"", std::move(name), to_json(data)}); }
  void end(std::string name, std::string_view why) {
    tell(std::move(name), Object().put("reason", why).done());
    over_ = true;
  }

  asio::awaitable<bool> may_go_on() {
    if (services_.clock.steady() - checked_ < kTokenCheck) co_return true;
    checked_ = services_.clock.steady();
    const bool good = co_await is_still_good(services_.stores.api_tokens, watch_.caller.token, services_.clock);
    if (!good) end("closed", "the API token is no longer valid");
    co_return good;
  }

  asio::awaitable<void> look() {
    const auto tunnel = co_await services_.stores.tunnels.find(watch_.caller.org, watch_.tunnel);
    if (!tunnel && tunnel.error().code == Errc::not_found) co_return end("removed", "the tunnel was removed");
    if (!tunnel) co_return end("closed", "the tunnel cannot be read now");
    auto now = figures(*tunnel, services_.tunnels.standing(*tunnel));
    if (now != last_) {
      last_ = std::move(now);
      tell("figures", last_);
    }
    compare(services_.tunnels.open_connections(watch_.tunnel));
    if (!leaving_.empty()) co_await tell_ended();
  }

  void compare(std::vector<store::TunnelConnection> open) {
    Open current;
    for (auto& one : open) {
      if (!open_.contains(one.id)) tell("opened", shape(one));
      const auto id = one.id;
      current.emplace(id, std::move(one));
    }
    for (auto& [id, one] : open_) {
      if (!current.contains(id)) leaving_.emplace(id, Leaving{std::move(one)});
    }
    open_ = std::move(current);
  }

  // Access records reach the store a moment after the end.
  asio::awaitable<void> tell_ended() {
    const auto stored = co_await services_.stores.tunnels.list_connections(watch_.caller.org, watch_.tunnel,
                                                                           {.after = "", .limit = store::kMaxPage});
    if (!stored) co_return end("closed", "access records cannot be read now");
    for (const auto& record : stored->items) {
      if (record.closed_at && leaving_.erase(record.id) > 0) tell("ended", shape(record));
    }
    for (auto at = leaving_.begin(); at != leaving_.end();) {
      const bool late = ++at->second.looks >= kLooksForRecord;
      if (late) tell("ended", shape(at->second.last));
      at = late ? leaving_.erase(at) : std::next(at);
    }
  }

  Services& services_;
  TunnelWatch watch_;
  std::deque<http::ServerEvent> ready_;
  Value last_;
  Open open_;
  std::map<TunnelConnectionId, Leaving> leaving_;  // have ended, and were not told yet
  SteadyTime checked_;                             // when the token was looked at
  bool begun_ = false;
  bool over_ = false;
};

}  // namespace

std::unique_ptr<http::EventSource> watch_tunnel(Services& services, TunnelWatch watch) {
  return std::make_unique<TunnelEvents>(services, std::move(watch));
}

}  // namespace sallyport::api
