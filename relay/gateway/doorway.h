#pragma once

#include "shared/async/event.h"
#include "shared/async/sources.h"
#include "shared/base/result.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <list>
#include <string>

namespace sallyport::gateway {

struct DoorwayLimits {
  std::size_t guests = 1'024;   // that have not proved who they are
  std::size_t handshakes = 64;  // under way at once
};

// What a guest has come over, as far as the door is concerned.
class Line {
 public:
  virtual ~Line() = default;
  virtual boost::asio::awaitable<Result<void>> readable() = 0;  // something has come, or the end has
  virtual void turn_away() = 0;                                 // readable() ends
};

class SocketLine final : public Line {
 public:
  explicit SocketLine(boost::asio::ip::tcp::socket& socket) : socket_(socket) {}
  boost::asio::awaitable<Result<void>> readable() override;
  void turn_away() override;

 private:
  boost::asio::ip::tcp::socket& socket_;
};

// Connections from accept until they have proved who they are. A handshake is a scarce place, so it is given only to
// those that have sent something; and of both kinds of place one source holds at most as many as are free (FairShare).
// Whoever is silent and in excess makes room for the next one of the same source. Lives on the relay's loop.
class Doorway {
 public:
  class Guest;

  Doorway(boost::asio::any_io_executor executor, DoorwayLimits limits)
      : guests_(limits.guests), handshakes_(limits.handshakes), has_room_(executor), executor_(std::move(executor)) {}

  bool is_full() const { return guests_.is_full(); }
  boost::asio::awaitable<void> wait_for_room();  // returns early when cancelled
  void knock() { has_room_.set(); }              // room may have come from elsewhere: look again

 private:
  void turn_out_for(Guest& newcomer);
  void call_next();

  FairShare guests_;
  FairShare handshakes_;
  Event has_room_;
  boost::asio::any_io_executor executor_;
  std::list<Guest*> silent_;   // in order of arrival
  std::list<Guest*> waiting_;  // for a handshake
};

// One connection at the door; must not outlive it.
class Doorway::Guest {
 public:
  Guest(Doorway& door, std::string source);
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;
  ~Guest();

  // Until something can be read from `line`; the guest counts as silent. Errors: timed_out, cancelled, unavailable (the
  // line broke), exhausted (its source has too many connections at the door).
  boost::asio::awaitable<Result<void>> wait_for_word(Line& line, SteadyTime deadline);
  // The same, and then until it is this guest's turn to shake hands.
  boost::asio::awaitable<Result<void>> wait_for_turn(Line& line, SteadyTime deadline);
  void handshake_ended();  // the place goes to the next one; the guest stays a guest

 private:
  friend class Doorway;
  enum class Stage { silent, turned_out, waiting, shaking, done };
  void turn_out();
  void leave_stage();
  void give_back();

  Doorway& door_;
  std::string source_;
  Stage stage_ = Stage::silent;
  bool counted_ = false;
  Line* line_ = nullptr;            // while it is silent
  std::list<Guest*>::iterator at_;  // while silent or waiting
  Event called_;
};

}  // namespace sallyport::gateway
