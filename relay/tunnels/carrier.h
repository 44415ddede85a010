#pragma once

#include "relay/tunnels/entrance.h"
#include "shared/base/metrics.h"

#include <map>

namespace sallyport::tunnels {

struct CarrierLimits {
  std::size_t connections = 5'000;  // of all tunnels together
  std::size_t listeners = 500;
  SessionLimits sessions;
  WorkstationTimes session_times;
  AccessLogLimits records;
  std::chrono::milliseconds look{1'000};      // how often expiry and the like are looked after, while there is any
  std::chrono::milliseconds retry{30'000};    // of a listener that could not be opened
  std::chrono::milliseconds grace{250};       // how long the refusal of a connection may take to arrive
  std::chrono::milliseconds renote{30'000};   // how often records of open connections are brought up to date
  std::chrono::milliseconds reach{10'000};    // how long an agent may think about a target
  std::chrono::milliseconds drain{0};         // what open connections have left when the relay stops
  std::chrono::milliseconds cut{1'000};       // so much later the other sides may cut them themselves
  std::chrono::milliseconds farewell{5'000};  // for access records that wait when the relay stops
};

// Where listeners may be bound.
struct CarrierPlaces {
  std::vector<std::string> networks = domain::default_listen_networks();
  std::vector<std::uint16_t> own_ports;  // of the relay itself, on whatever address
  domain::PortRange ports = domain::kDefaultListenPorts;
};

// The tunnels of this relay: their listeners, the connections through them and their access records. Lives on the
// relay's loop; what is in Parts outlives it.
class Carrier final : public Desk {
 public:
  struct Parts {
    store::Tunnels& tunnels;
    AgentChannels& agents;
    const Clock& clock;
    const Log& log;
    Metrics& metrics;
  };
  Carrier(boost::asio::any_io_executor executor, Parts parts, CarrierPlaces places = {}, CarrierLimits limits = {});

  // At start: ends what an earlier process left open, then opens the listeners of all active tunnels. One that cannot
  // be opened is told and tried again; an error is the store's.
  boost::asio::awaitable<Result<void>> load();
  // Takes connections until cancelled, then closes the listeners, tells workstations that it goes away, and cuts what
  // is open after the drain time with `relay_stopped`. Returns when the access records are in the store. Call once,
  // after load(); the links have to outlive it.
  boost::asio::awaitable<void> run();

  Result<void> put(const store::Tunnel& tunnel) override;
  void drop(const TunnelId& tunnel) override;
  Standing standing(const store::Tunnel& tunnel) const override;
  std::vector<store::TunnelConnection> open_connections(const TunnelId& tunnel) const override;
  std::shared_ptr<EndedConnections> watch(const TunnelId& tunnel) override;
  Result<ServeSession> session(const store::Tunnel& tunnel, Opener opener, StillAllowed still_allowed) override;
  Result<void> check_listener(const domain::TunnelListener& listener) const override;
  store::awaitable<Reach> reach(OrgId org, GroupId group, std::optional<AgentId> agent, tunnel::Target target) override;

 private:
  boost::asio::awaitable<void> look_after();
  bool look();
  boost::asio::awaitable<void> drain();
  boost::asio::awaitable<void> stop();

  boost::asio::any_io_executor executor_;
  Parts parts_;
  CarrierPlaces places_;
  CarrierLimits limits_;
  Figures figures_;
  AccessLog records_;
  Placement placement_;
  EntranceParts shared_;
  std::map<TunnelId, std::shared_ptr<Entrance>> entrances_;
  Event changed_;
  TaskGroup writing_;
  bool looks_again_ = false;  // by itself
  bool stopped_ = false;
};

}  // namespace sallyport::tunnels
