#include "relay/api/tunnel_events.h"

#include "relay/api/authenticator.h"
#include "relay/api/replies.h"
#include "shared/async/timeout.h"
#include "shared/base/json.h"

#include <deque>

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds kTokenCheck{5};

class TunnelEvents final : public http::EventSource {
 public:
  TunnelEvents(Services& services, Caller caller, std::shared_ptr<TunnelLookout> lookout)
      : services_(services),
        caller_(std::move(caller)),
        lookout_(std::move(lookout)),
        checked_(services.clock.steady()) {}

  asio::awaitable<std::optional<http::ServerEvent>> next(SteadyTime deadline) override {
    for (;;) {
      if (!ready_.empty()) co_return take();
      if (over_) co_return std::nullopt;
      if (seen_) co_await sleep_for(TunnelLookout::kEvery);
      if (co_await may_go_on()) co_await look();
      if (ready_.empty() && services_.clock.steady() >= deadline) co_return http::ServerEvent{};
    }
  }

 private:
  http::ServerEvent take() {
    auto event = std::move(ready_.front());
    ready_.pop_front();
    return event;
  }
  void end(std::string_view why) {
    ready_.push_back({"", "closed", to_json(Object().put("reason", why).done())});
    over_ = true;
  }

  asio::awaitable<bool> may_go_on() {
    if (services_.clock.steady() - checked_ < kTokenCheck) co_return true;
    checked_ = services_.clock.steady();
    const bool good = co_await is_still_good(services_.stores.api_tokens, caller_.token, services_.clock);
    if (!good) end("the API token is no longer valid");
    co_return good;
  }

  asio::awaitable<void> look() {
    co_await lookout_->look();
    auto news = seen_ ? lookout_->since(*seen_) : lookout_->begin();
    if (news.dropped) co_return end("too slow; begin again");
    seen_ = news.upto;
    over_ = news.over;
    ready_.assign(std::make_move_iterator(news.events.begin()), std::make_move_iterator(news.events.end()));
  }

  Services& services_;
  Caller caller_;
  std::shared_ptr<TunnelLookout> lookout_;
  std::deque<http::ServerEvent> ready_;
  std::optional<std::uint64_t> seen_;
  SteadyTime checked_;  // when the token was looked at
  bool over_ = false;
};

}  // namespace

std::unique_ptr<http::EventSource> watch_tunnel(Services& services, Caller caller,
                                                std::shared_ptr<TunnelLookout> lookout) {
  return std::make_unique<TunnelEvents>(services, std::move(caller), std::move(lookout));
}

}  // namespace sallyport::api
