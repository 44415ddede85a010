#pragma once

#include "relay/store/tunnels.h"
#include "relay/tunnels/client.h"
#include "relay/tunnels/connection_end.h"
#include "relay/tunnels/desk.h"
#include "relay/tunnels/placement.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace sallyport::tunnels {

// Where a connection comes from.
struct Visitor {
  std::string source;                              // its address
  std::unique_ptr<const Opener> opener = nullptr;  // whose session it came through; none: through the listener
};

// One connection through a tunnel, from accept to its end. Lives on the relay's loop. There are thousands, most of them
// idle: what they have in common, or have only in the end, is not kept here.
class Passage {
 public:
  struct Begin {
    TunnelConnectionId id;
    const TunnelId& tunnel;  // outlives it
    Visitor visitor;
    WallTime at;
    SteadyTime now;
  };
  explicit Passage(Begin begin) : begin_(std::move(begin)) {}

  // Until both sides have ended, or it was cut; then calls `on_end`, from the loop. Call once; lives until then.
  void carry(std::unique_ptr<Client> client, Placement& placement, Placement::Opened by, tunnel::SpliceLimits limits,
             std::move_only_function<void(Ending)> on_end);
  // Ends it with a reset on both sides, after carry(). The first reason holds.
  void cut(Ending why);

  const Visitor& visitor() const { return begin_.visitor; }
  store::TunnelConnection record() const;  // as of now
  store::TunnelConnection record(const Ending& ending, WallTime at) const;
  const tunnel::Flow& flow() const { return flow_; }
  tunnel::Flow uncounted();  // since the last call
  // Whether its target has sent something, or it has been open for `grace`: then it is no refusal any more that has not
  // arrived yet.
  bool is_carried(SteadyTime now, std::chrono::milliseconds grace) const;

  // Its access record as it is now, for the store.
  store::TunnelConnection noted();
  bool is_noted() const { return noted_.has_value(); }
  bool has_news() const;  // bytes since it was noted

 private:
  Begin begin_;
  tunnel::Flow flow_;
  tunnel::Flow counted_;
  std::optional<tunnel::Flow> noted_;
  std::unique_ptr<Client> client_;
  std::optional<link::Channel> channel_;
  std::optional<Placement::Load> load_;
  std::unique_ptr<Ending> why_cut_;
};

}  // namespace sallyport::tunnels
