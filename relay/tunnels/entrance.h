#pragma once

#include "relay/tunnels/access_log.h"
#include "relay/tunnels/desk.h"
#include "relay/tunnels/figures.h"
#include "relay/tunnels/passage.h"
#include "relay/tunnels/placement.h"
#include "relay/tunnels/session_places.h"
#include "relay/tunnels/tally.h"
#include "relay/tunnels/workstation.h"
#include "shared/async/accept.h"
#include "shared/async/task_group.h"

#include <functional>
#include <list>
#include <memory>

namespace sallyport::tunnels {

// A bounded number of places that all tunnels of a relay share.
struct Room {
  std::size_t limit = 0;
  std::size_t taken = 0;
  bool is_full() const { return taken >= limit; }
};

// What all entrances use; all of it outlives their tasks.
struct EntranceParts {
  Placement& placement;
  AccessLog& records;
  Figures& figures;
  const Clock& clock;
  const Log& log;
  std::function<Result<void>(const domain::TunnelListener&)> check;  // whether it may be bound
  FairShare connections;                                             // by organisation
  Room listeners;
  SessionPlaces sessions;
  WorkstationTimes session_times;
  std::chrono::milliseconds retry;   // of a listener that could not be opened
  std::chrono::milliseconds grace;   // how long a connection may be refused without ever having had a record
  std::chrono::milliseconds renote;  // how often records of open connections are brought up to date
  TaskGroup tasks;                   // accepting
  std::function<void()> wake;        // there is something to look() after
  bool accepting = false;            // listeners take connections, which otherwise wait in the kernel
};

// One tunnel on this relay: its listener, the sessions of workstations, its open connections and what they carried. Its
// tasks and connections keep it alive. Lives on the relay's loop.
class Entrance : public std::enable_shared_from_this<Entrance> {
 public:
  Entrance(boost::asio::any_io_executor executor, EntranceParts& parts, store::Tunnel tunnel);

  // Makes it what the tunnel says now: listening, or closed and everything cut; who may use it no longer is cut, and
  // limits hold for connections from now on. Errors as Desk::put.
  Result<void> settle(store::Tunnel tunnel);
  void begin_accepting();
  // Of Desk::session.
  Result<ServeSession> session(Opener opener, StillAllowed still_allowed);
  // Closes the listener and cuts what is open, with the sessions; for good, unless settle() follows.
  void shut(ConnectionEnd why);
  // The relay stops: closes the listener, and lets what is open go on. Sessions without a connection end now, others
  // are told to go away and have `drain` left.
  void go_away(std::chrono::milliseconds drain);
  // What time brings: expiry and its end when the clock was wrong, another try of a listener, records to be noted,
  // bytes to be counted.
  void look();
  bool is_watched() const;  // look() has to be called again soon

  Standing standing() const;
  std::vector<store::TunnelConnection> open_connections() const;  // newest first
  std::shared_ptr<EndedConnections> watch();                      // of Desk::watch

 private:
  using Open = std::list<Passage>;
  using Sessions = std::list<WorkstationSession>;
  struct Seat;

  bool is_expired() const;
  void become(EntranceState state);
  void hold_to(const store::Tunnel& before);
  void let_out(const ApiTokenId& token, const Denial& why);
  Result<void> open_listener(const domain::TunnelListener& where);
  void not_listening(const std::string& why);
  Result<boost::asio::ip::tcp::acceptor> new_listener(const domain::TunnelListener& where);
  void close_listener();
  boost::asio::awaitable<void> accept_loop(std::shared_ptr<Entrance> self,
                                           std::shared_ptr<boost::asio::ip::tcp::acceptor> from);
  boost::asio::awaitable<void> accept_all(boost::asio::ip::tcp::acceptor& from);
  void welcome(Accepted accepted);
  void welcome(link::Channel channel, const Opener& opener);
  void take_in(std::unique_ptr<Client> client, Visitor visitor);
  Passage::Begin begin(Visitor visitor) const;
  void turn_away(Client& client, Visitor visitor, const Ending& why);
  std::optional<Ending> refusal_of(const Visitor& visitor) const;
  static boost::asio::awaitable<std::optional<Denial>> hold_session(std::shared_ptr<Seat> seat,
                                                                    std::unique_ptr<ByteStream> stream);
  void cut_sessions(ConnectionEnd why);
  void note_open(SteadyTime now);
  void account(ConnectionEnd end, store::TunnelConnection closed);
  void tell(Tally::Rests rests);
  void note_closed(ConnectionEnd end, store::TunnelConnection closed);
  void ended(Open::iterator at, const Ending& why);
  void tell_watchers(const store::TunnelConnection& closed) const;
  void note_end(Passage& passage, const Ending& why);
  void count_bytes(Passage& passage);

  boost::asio::any_io_executor executor_;
  EntranceParts& parts_;
  store::Tunnel tunnel_;
  EntranceState state_ = EntranceState::none;
  std::string problem_;
  bool shut_ = false;  // paused, expired, removed, or the relay stops
  std::shared_ptr<boost::asio::ip::tcp::acceptor> listener_;
  std::optional<SteadyTime> retry_at_;
  Open open_;  // oldest first
  Sessions sessions_;
  tunnel::Flow ended_;
  SteadyTime renote_at_{};
  Tally tally_;
  std::weak_ptr<EndedConnections> watched_;  // while somebody does
};

}  // namespace sallyport::tunnels
