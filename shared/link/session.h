#pragma once

#include "shared/async/byte_stream.h"
#include "shared/base/clock.h"
#include "shared/link/channel.h"
#include "shared/link/link_end.h"
#include "shared/mux/mux.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::v1 {
class Control;
}

namespace sallyport::link {

// The protocol versions this software understands (docs/protocol.md P8).
constexpr std::uint32_t kProtocolMin = 1;
constexpr std::uint32_t kProtocolMax = 1;

// A capability: an agent may have several links at once (docs/protocol.md P3.9).
inline constexpr std::string_view kLinks = "links";
constexpr std::uint32_t kMostLinks = 4;    // that a relay wants of one agent
constexpr std::uint32_t kLinkPlaces = 8;   // numbers for them: others may still drain
constexpr std::size_t kMostAddresses = 8;  // that a relay names

// What a side says of itself in Hello or Welcome.
struct Introduction {
  std::uint32_t protocol_min = kProtocolMin;
  std::uint32_t protocol_max = kProtocolMax;
  std::vector<std::string> capabilities;
  std::string software;                // "sallyport-agent/0.1.0"
  std::string hostname;                // agent only, as the rest
  Bytes boot_id;                       // 16 random bytes made at process start
  std::string policy_summary_json;     // connection names, kinds and health
  std::uint32_t link = 0;              // which of the agent's links this is
  std::uint32_t links = 1;             // relay only: how many links it wants of one agent
  std::vector<std::string> addresses;  // relay only: where to dial them, "host:port"
};

// What both agreed on, and what the other side said of itself.
struct Peer {
  std::uint32_t protocol = 0;
  std::vector<std::string> capabilities;  // known to both
  std::string software;
  std::string hostname;
  Bytes boot_id;
  std::string policy_summary_json;
  std::uint32_t link = 0;              // on the relay: which of the agent's links this is
  std::int64_t server_time_ms = 0;     // on the agent, as the rest
  std::uint32_t links = 1;             // how many the relay wants; 1 without the capability
  std::vector<std::string> addresses;  // where to dial them; not checked
};
bool knows(const Peer& peer, std::string_view capability);

struct SessionTimes {
  std::chrono::milliseconds handshake{10'000};
  std::chrono::milliseconds heartbeat{
      5'000};           // the relay's goes into Welcome, and the agent follows it (100 ms .. 60 s)
  unsigned misses = 3;  // heartbeats without an answer until the peer counts as silent
  std::chrono::milliseconds farewell{1'000};  // to get a last message out
};

struct SessionOptions {
  mux::Side side = mux::Side::agent;
  Introduction self;
  std::vector<std::string> serves;  // purposes the peer may open ("tunnel/1"); every other one is refused
  mux::MuxLimits limits;
  SessionTimes times;
};

class Session;

// What the owner of a session does for it. Every call comes on the session's executor; the plain ones must not block.
class SessionOwner {
 public:
  virtual ~SessionOwner() = default;

  // Relay only, before Welcome: the certificate is verified and the version fits; anything else speaks here.
  virtual boost::asio::awaitable<std::optional<Refusal>> admit(Peer peer);  // default: admits

  // The work of the link, started after the handshake and cancelled when the link ends. Returning early does not end
  // it.
  virtual boost::asio::awaitable<void> serve(Session& session) = 0;

  // The peer asks whether this side hands out work. Pass it to the part that does; that part calls session.pong(nonce)
  // when its turn comes. Answering here would only prove that the socket is read.
  virtual void on_ping(Session& session, std::uint64_t nonce) = 0;

  // A control message that the session does not handle itself (renewal). Valid during the call.
  virtual void on_control(Session& session, const v1::Control& message) = 0;

  // The peer wants no new work on this link and closes it when its channels have ended, at the latest after `drain`.
  virtual void on_go_away(Session& session, const std::string& reason,
                          std::chrono::milliseconds drain);  // default: nothing
};

// A channel the peer opened.
struct Incoming {
  std::string purpose;  // "tunnel/1 db": name and version, then what it needs to know
  Channel channel;
};

// One link from the handshake to its end, the same on both sides. Owns the stream and its loops: one reader, one writer
// that coalesces frames, one heartbeat, the owner's serve(). `owner` and `clock` must outlive run(); destroy the
// session only after run() has returned. Single executor, not thread-safe. What it can hold in memory is bounded by
// SessionOptions::limits.
class Session {
 public:
  Session(const boost::asio::any_io_executor& executor, std::unique_ptr<ByteStream> stream, SessionOptions options,
          SessionOwner& owner, const Clock& clock);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Handshake, work, farewell; call once. Cancelling it ends the link with `stopped`.
  boost::asio::awaitable<EndReason> run();

  // --- from serve() on
  const Peer& peer() const;
  Result<Channel> open_channel(std::string_view purpose);
  // The next channel the peer opened for a purpose of SessionOptions::serves; fails only when the link has ended. All
  // that MuxLimits lets be open may wait here: their windows bound what that costs.
  boost::asio::awaitable<Result<Incoming>> accept_channel();
  Result<void> send_control(const v1::Control& message);
  void pong(std::uint64_t nonce);  // answers on_ping
  // A task of this link: cancelled when the link ends, and gone before run() returns. What it leaves by an exception
  // ends the link. For work that answers later, such as a Pong: a later link must never see it.
  void spawn(std::string name, boost::asio::awaitable<void> task);

  // True after the first round trip through the peer's dispatch path: only then is the link "ready".
  bool proven() const;
  boost::asio::awaitable<Result<void>> wait_until_proven();     // fails when the link ended before
  std::optional<std::chrono::milliseconds> round_trip() const;  // of the last one
  std::size_t open_channels() const;
  std::uint64_t carried_lately() const;  // bytes of the last one to two seconds, both directions together

  // --- the end; the first reason wins
  void stop(std::string message);
  // Tells the peer why, then ends: how the relay cuts a link whose agent was revoked.
  void refuse(Refusal refusal);
  // Opens and takes no channel any more; ends with `drained` when those there have ended, at the latest after `drain`.
  // Before the handshake has ended there is nothing to drain: the relay refuses the agent then, `overloaded` and to
  // come again after a second, and the agent stops.
  void go_away(std::string reason, std::chrono::milliseconds drain);
  bool draining() const;
  bool ended() const;
  const EndReason& why() const;  // meaningful once ended()

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sallyport::link
