#include "relay/api/tunnel_lookout.h"

#include "relay/api/replies.h"
#include "relay/api/tunnel_shapes.h"
#include "shared/base/json.h"

#include <algorithm>

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

http::ServerEvent event_of(std::string name, const Value& data) { return {"", std::move(name), to_json(data)}; }

Value figures_of(const store::Tunnel& tunnel, const tunnels::Standing& standing) {
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

}  // namespace

// That one looks now, until it has looked or was cancelled.
struct TunnelLookout::Look {
  explicit Look(TunnelLookout& of) : lookout(of) {
    lookout.looking_ = true;
    lookout.looked_.clear();
  }
  Look(const Look&) = delete;
  Look& operator=(const Look&) = delete;
  ~Look() {
    lookout.looking_ = false;
    lookout.looked_.set();
  }
  TunnelLookout& lookout;
};

TunnelLookout::TunnelLookout(const asio::any_io_executor& executor, Parts parts, OrgId org, TunnelId tunnel)
    : parts_(parts),
      org_(std::move(org)),
      tunnel_(std::move(tunnel)),
      ended_(parts.desk.watch(tunnel_)),
      looked_(executor) {}

// Whoever waited for one that was cancelled looks itself.
asio::awaitable<void> TunnelLookout::look() {
  while (!over_ && is_due()) {
    if (looking_) {
      co_await looked_.wait();
      continue;
    }
    const Look looking(*this);
    take(co_await parts_.tunnels.find(org_, tunnel_));
  }
}

void TunnelLookout::take(Result<store::Tunnel> tunnel) {
  looked_at_ = parts_.clock.steady();
  Events events;
  compare(events);
  if (!tunnel && tunnel.error().code == Errc::not_found) {
    end(events, "removed", "the tunnel was removed");
  } else if (!tunnel) {
    end(events, "closed", "the tunnel cannot be read now");
  } else if (auto figures = to_json(figures_of(*tunnel, parts_.desk.standing(*tunnel))); figures != figures_) {
    events.insert(events.begin(), {"", "figures", figures});
    figures_ = std::move(figures);
  }
  if (events.empty()) return;
  told_.push_back(std::make_shared<const Events>(std::move(events)));
  ++last_;
  if (told_.size() > kKept) told_.pop_front();
}

// What ended is told whole; of what was never seen open, as much as people could read.
void TunnelLookout::compare(Events& events) {
  auto ended = ended_->take();
  decltype(open_) now;
  for (auto& one : parts_.desk.open_connections(tunnel_)) {
    if (!open_.contains(one.id)) events.push_back(event_of("opened", shape(one)));
    auto id = one.id;
    now.emplace(std::move(id), std::move(one));
  }
  std::size_t unseen = 0;
  for (const auto& one : ended.each) {
    const bool seen = open_.erase(one.id) > 0;
    if (!seen && ++unseen > kMostTold) {
      ++ended.more;
    } else {
      events.push_back(event_of("ended", shape(one)));
    }
  }
  for (const auto& [id, last] : open_) {
    if (now.contains(id)) continue;
    events.push_back(event_of("ended", shape(last)));
    if (ended.more > 0) --ended.more;
  }
  if (ended.more > 0) events.push_back(event_of("more_ended", Object().put("count", ended.more).done()));
  open_ = std::move(now);
}

void TunnelLookout::end(Events& events, std::string name, std::string_view why) {
  events.push_back(event_of(std::move(name), Object().put("reason", why).done()));
  over_ = true;
}

TunnelLookout::News TunnelLookout::begin() const {
  News news{.upto = last_, .over = over_};
  if (over_) {
    if (!told_.empty()) news.events.push_back(told_.back()->back());
    return news;
  }
  news.events.push_back({"", "figures", figures_});
  for (const auto& [id, one] : open_) news.events.push_back(event_of("opened", shape(one)));
  return news;
}

TunnelLookout::News TunnelLookout::since(std::uint64_t seen) const {
  News news{.upto = last_, .over = over_};
  const auto wanted = last_ - seen;
  news.dropped = wanted > told_.size();
  if (news.dropped) return news;
  for (auto at = told_.end() - static_cast<std::ptrdiff_t>(wanted); at != told_.end(); ++at)
    news.events.insert(news.events.end(), (*at)->begin(), (*at)->end());
  return news;
}

std::shared_ptr<TunnelLookout> TunnelLookouts::of(const asio::any_io_executor& executor, TunnelLookout::Parts parts,
                                                  const OrgId& org, const TunnelId& tunnel) {
  std::erase_if(lookouts_, [](const auto& one) { return one.second.expired(); });
  auto lookout = lookouts_[tunnel].lock();
  if (!lookout) lookouts_[tunnel] = lookout = std::make_shared<TunnelLookout>(executor, parts, org, tunnel);
  return lookout;
}

}  // namespace sallyport::api
