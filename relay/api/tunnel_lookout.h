#pragma once

#include "relay/store/tunnels.h"
#include "relay/tunnels/desk.h"
#include "shared/async/event.h"
#include "shared/base/clock.h"
#include "shared/http/types.h"

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sallyport::api {

// One tunnel as all who watch it live see it: it is looked at once a second, however many they are, and what changed is
// kept for the slower ones for half a minute. Looked at by whoever of them comes first; lives as long as one of them,
// on the relay's loop.
class TunnelLookout {
 public:
  static constexpr std::chrono::seconds kEvery{1};
  static constexpr std::size_t kMostTold = 200;  // connections of one look that ended before they were seen open
  static constexpr std::size_t kKept = 30;       // looks

  struct Parts {
    store::Tunnels& tunnels;
    tunnels::Desk& desk;
    const Clock& clock;
  };
  TunnelLookout(const boost::asio::any_io_executor& executor, Parts parts, OrgId org, TunnelId tunnel);

  // Looks, unless that was done less than kEvery ago; returns when it is done.
  boost::asio::awaitable<void> look();

  using Events = std::vector<http::ServerEvent>;
  struct News {
    std::uint64_t upto = 0;
    Events events;
    bool dropped = false;  // some of them are not kept any more
    bool over = false;     // nothing follows
  };
  News begin() const;                    // what stands, for one who comes new
  News since(std::uint64_t seen) const;  // what came after that
  bool is_due() const { return !looked_at_ || parts_.clock.steady() - *looked_at_ >= kEvery; }

 private:
  struct Look;
  void take(Result<store::Tunnel> tunnel);
  void compare(Events& events);
  void end(Events& events, std::string name, std::string_view why);

  Parts parts_;
  OrgId org_;
  TunnelId tunnel_;
  std::shared_ptr<tunnels::EndedConnections> ended_;
  std::optional<SteadyTime> looked_at_;
  bool looking_ = false;
  Event looked_;
  std::string figures_;
  std::map<TunnelConnectionId, store::TunnelConnection> open_;
  std::uint64_t last_ = 0;                          // number of the newest of told_
  std::deque<std::shared_ptr<const Events>> told_;  // one for each look, oldest first
  bool over_ = false;
};

// The lookouts of all tunnels that somebody watches.
class TunnelLookouts {
 public:
  std::shared_ptr<TunnelLookout> of(const boost::asio::any_io_executor& executor, TunnelLookout::Parts parts,
                                    const OrgId& org, const TunnelId& tunnel);

 private:
  std::map<TunnelId, std::weak_ptr<TunnelLookout>> lookouts_;
};

}  // namespace sallyport::api
