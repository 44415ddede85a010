#pragma once

#include "proto/sallyport/v1/tunnel.pb.h"
#include "relay/tunnels/carrier.h"
#include "tests/unit/relay/tunnels/tunnel_book.h"
#include "tests/unit/shared/tunnel/tunnel_rig.h"

#include <fmt/format.h>

#include <set>
#include <stdexcept>

// The relay's tunnels over a real pair of sessions on a line in memory, with a stand-in for the agent.
namespace sallyport::test {

inline const OrgId kOrg("org_A");
inline const GroupId kGroup("grp_1");
inline const AgentId kAgent("agt_1");

// Real time, moved by the test.
struct ShiftedClock final : Clock {
  SteadyTime steady() const override { return std::chrono::steady_clock::now() + shift; }
  WallTime wall() const override {
    if (faults > 0 && faults-- > 0) throw std::runtime_error("a fault of the test");
    return SystemClock().wall() + shift;
  }
  std::chrono::milliseconds shift{0};
  mutable int faults = 0;  // so many calls of wall() throw
};

struct KeptLines final : LogSink {
  std::vector<std::string> lines;
  void write(std::string_view line) override { lines.emplace_back(line); }
  std::size_t count(std::string_view word) const;
};

// What an agent does with channels of tunnels: numeric targets are connected and spliced, the host "forbidden" is not.
struct StandIn {
  boost::asio::awaitable<void> work(link::Session& session);

  std::vector<std::string> purposes;         // in order of arrival
  std::optional<mux::ResetCode> reset_with;  // every channel
  std::optional<v1::Reach> answer;           // nothing: silence

 private:
  boost::asio::awaitable<void> serve(link::Incoming incoming);
  boost::asio::awaitable<void> say(link::Channel& channel);
  boost::asio::awaitable<void> carry(link::Channel& channel, tunnel::Target target);
};

// One agent on one session, for as long as it is linked.
struct OneAgent final : tunnels::AgentChannels {
  std::vector<AgentId> linked(const OrgId& org, const GroupId& group) const override;
  Result<link::Channel> open(const OrgId& org, const AgentId& agent, std::string_view purpose) override;
  bool is_linked(const OrgId& org, const AgentId& agent) const override;
  std::size_t places_left(const OrgId& org, const AgentId& agent) const override;

  link::Session* session = nullptr;
  std::size_t places = 1'000;
  bool full = false;
};

tunnels::CarrierLimits quick();

// start() before anything else, finish() before it dies.
struct TunnelBench {
  explicit TunnelBench(boost::asio::any_io_executor on, tunnels::CarrierLimits limits = quick(),
                       tunnels::CarrierPlaces places = {});
  boost::asio::awaitable<void> start();
  boost::asio::awaitable<void> finish();
  boost::asio::awaitable<void> stop_carrier();
  void stop_carrier_soon();  // its run() ends later
  boost::asio::awaitable<bool> until(std::function<bool()> holds) { return link.until(std::move(holds)); }

  // A tunnel to the target, or to `host`, with a listener of its own; not put.
  store::Tunnel tunnel(std::string host = "127.0.0.1");
  boost::asio::awaitable<tcp::socket> dial(store::Tunnel to, std::string from = "127.0.0.1");
  // Whether a connection is ended with a reset before a byte came.
  boost::asio::awaitable<bool> turned_away(store::Tunnel to, std::string from = "127.0.0.1");
  boost::asio::awaitable<tcp::socket> taken();                                 // the next connection at the target
  boost::asio::awaitable<bool> ended(std::string end, std::size_t count = 1);  // as many records have that end
  store::TunnelConnection record(std::string_view end) const;
  std::uint64_t counted(std::string_view series) const;  // of the metrics

  boost::asio::any_io_executor on;
  LinkPair link;
  StandIn agent;
  OneAgent agents;
  TunnelBook book;
  ShiftedClock clock;
  KeptLines lines;
  Log log{lines, clock};
  Metrics metrics;
  tunnels::Carrier carrier;
  tcp::acceptor target;
  TaskGroup tasks;
  TaskGroup running;  // the carrier alone

 private:
  boost::asio::awaitable<boost::system::error_code> connect(tcp::socket& socket, store::Tunnel to, std::string from);

  std::uint16_t next_port_ = 7'000;
};

}  // namespace sallyport::test
