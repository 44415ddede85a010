#pragma once

#include "relay/store/tunnels.h"
#include "relay/tunnels/client.h"
#include "relay/tunnels/connection_end.h"

namespace sallyport::tunnels {

// One connection through a tunnel, from accept to its end. Lives on the relay's loop.
class Passage {
 public:
  // `begun` is its access record as it begins, at `now`.
  Passage(store::TunnelConnection begun, SteadyTime now) : record_(std::move(begun)), since_(now) {}

  // Ends it with a reset on both sides, also when it has not been carried yet. The first reason holds.
  void cut(Ending why);
  const std::optional<Ending>& cut_because() const { return why_cut_; }

  // Until both sides have ended, or it was cut. Call once. Both are closed when it returns.
  boost::asio::awaitable<tunnel::SpliceOutcome> carry(Client& client, link::Channel& channel,
                                                      tunnel::SpliceLimits limits);
  Ending ending(const tunnel::SpliceOutcome& outcome) const;  // what carry() came to

  void carried_by(AgentId agent) { record_.agent = std::move(agent); }
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
  store::TunnelConnection record_;
  tunnel::Flow flow_;
  tunnel::Flow counted_;
  std::optional<tunnel::Flow> noted_;
  SteadyTime since_;
  tunnel::SpliceStop cut_;
  std::optional<Ending> why_cut_;
};

}  // namespace sallyport::tunnels
