#pragma once

#include "relay/tunnels/desk.h"
#include "shared/async/event.h"
#include "shared/base/clock.h"
#include "shared/link/session.h"

#include <functional>
#include <memory>
#include <optional>

namespace sallyport::tunnels {

struct WorkstationTimes {
  std::chrono::milliseconds check{2'000};   // how often it is asked whether a session may go on
  std::chrono::milliseconds trust{30'000};  // without an answer for so long it may not
  link::SessionTimes link;
};

// The session of one workstation that has a tunnel open (docs/protocol.md P15): a link over the connection that the web
// API gave, each channel of it one connection through the tunnel. Lives on the relay's loop.
class WorkstationSession final : public link::SessionOwner {
 public:
  struct Calls {
    std::function<void(link::Channel)> take;  // gets each connection, while run() runs
    StillAllowed still_allowed;
    std::function<void(const Denial&)> denied;  // it says no, and the session is about to end for it
  };
  // The session ends when `still_allowed`, which is asked again and again, says so or has not answered for too long,
  // and at `until`.
  WorkstationSession(const Clock& clock, Calls calls, std::optional<WallTime> until, WorkstationTimes times = {})
      : clock_(clock), calls_(std::move(calls)), until_(until), times_(times) {}

  // Until the workstation or cut() ends it; gives the reason for the log. Call once.
  boost::asio::awaitable<link::EndReason> run(std::unique_ptr<ByteStream> stream);
  // Tells the workstation why, and ends; also before run(). The first reason holds.
  void cut(Denial why);
  const std::optional<Denial>& denied() const { return denied_; }  // why it was cut, if it was
  void ask_now();  // whether it may go on, without waiting for the next time
  // Takes no connection any more, and ends with `drained` after the last one, at the latest after `drain`; cuts when
  // there is none.
  void go_away(Denial why, std::chrono::milliseconds drain);

  boost::asio::awaitable<void> serve(link::Session& session) override;
  void on_ping(link::Session& session, std::uint64_t nonce) override { session.pong(nonce); }
  void on_control(link::Session&, const v1::Control&) override {}
  boost::asio::awaitable<std::optional<link::Refusal>> admit(link::Peer) override;

 private:
  void deny(const Denial& why);
  boost::asio::awaitable<void> ask();
  boost::asio::awaitable<void> keep_asking();
  boost::asio::awaitable<void> keep_watch();

  const Clock& clock_;
  Calls calls_;
  std::optional<WallTime> until_;
  WorkstationTimes times_;
  SteadyTime answered_;
  std::unique_ptr<Event> ask_;  // while run() runs
  std::unique_ptr<link::Session> session_;
  std::optional<Denial> denied_;
};

}  // namespace sallyport::tunnels
