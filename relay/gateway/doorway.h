#pragma once

#include "shared/async/event.h"
#include "shared/async/sources.h"
#include "shared/base/result.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <unordered_map>

namespace sallyport::gateway {

struct DoorwayLimits {
  std::size_t guests = 12'000;  // that have not proved who they are
  std::size_t handshakes = 64;  // under way at once
};

// What a guest has come over, as far as the door is concerned.
class Line {
 public:
  virtual ~Line() = default;
  virtual boost::asio::awaitable<Result<void>> readable() = 0;  // something has come, or the end has
  virtual void turn_away() = 0;                                 // readable() ends
  virtual bool is_gone() const { return false; }                // the other side has closed, as far as is known
};

class SocketLine final : public Line {
 public:
  explicit SocketLine(boost::asio::ip::tcp::socket& socket) : socket_(socket) {}
  boost::asio::awaitable<Result<void>> readable() override;
  void turn_away() override;
  bool is_gone() const override;

 private:
  boost::asio::ip::tcp::socket& socket_;
};

// Connections from accept until they have proved who they are. A handshake is a scarce place, so it is given only to
// those that have said what they want, oldest first, past those whose source holds as many handshakes as are free
// (FairShare). Of the guests one source may have as many silent ones as places are free, and beyond that the oldest
// silent one makes room for the next of the same source. Who has spoken stays and waits: a source may hold kSpoken
// times as many places as are free, so that a site with thousands of agents behind one address gets its turn without
// coming again and again, and another source finds places all the same. Where agents may not have all places, those of
// them at the door share theirs by the same rule. Lives on the relay's loop.
class Doorway {
 public:
  class Guest;
  static constexpr std::size_t kSpoken = 8;

  // `room`: how many guests there may be now, if that is less than `limits` say; asked whenever a place is wanted.
  Doorway(boost::asio::any_io_executor executor, DoorwayLimits limits, std::function<std::size_t()> room = nullptr)
      : limits_(limits),
        room_(std::move(room)),
        handshakes_(limits.handshakes),
        has_room_(executor),
        executor_(std::move(executor)) {}

  bool is_full() const { return free() == 0; }
  std::size_t guests() const { return guests_; }
  std::size_t agents() const { return agents_; }  // of them, as join_agents() says
  boost::asio::awaitable<void> wait_for_room();   // returns early when cancelled
  void knock() { has_room_.set(); }               // room may have come from elsewhere: look again

 private:
  struct Source {
    std::string name;
    std::size_t guests = 0;
    std::size_t agents = 0;
    std::list<Guest*> silent;   // in order of arrival
    std::list<Guest*> waiting;  // for a handshake, in order of their first words
  };
  using Sources = std::unordered_map<std::string, Source>;

  std::size_t free() const;
  Source& enter(const std::string& source);
  void leave(Source& source);
  void join_queue(Guest& guest);
  void leave_queue(Guest& guest);
  void call_next();
  void call(Guest& guest);

  DoorwayLimits limits_;
  std::function<std::size_t()> room_;
  std::size_t guests_ = 0;
  std::size_t agents_ = 0;
  FairShare handshakes_;
  Event has_room_;
  boost::asio::any_io_executor executor_;
  Sources sources_;  // those that have guests
  std::uint64_t next_ticket_ = 0;
  std::map<std::uint64_t, Source*> queue_;  // by the ticket of the first that waits
};

// One connection at the door; must not outlive it.
class Doorway::Guest {
 public:
  Guest(Doorway& door, const std::string& source);
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;
  ~Guest();

  // Until something can be read from `line`; the guest counts as silent. Errors: timed_out, cancelled, unavailable (the
  // line broke), exhausted (its source has too many connections at the door).
  boost::asio::awaitable<Result<void>> wait_for_word(Line& line, SteadyTime deadline);
  // After its first word, at most once: it is an agent, of whom there may be `room` at the door. Errc::exhausted: there
  // are as many, or its source has its share of them.
  Result<void> join_agents(std::size_t room);
  // After its first word, until it is this guest's turn to shake hands. Errors besides: unavailable also when the other
  // side has gone meanwhile.
  boost::asio::awaitable<Result<void>> wait_for_turn(Line& line, SteadyTime deadline);
  void handshake_ended();  // the place goes to the next one; the guest stays a guest

 private:
  friend class Doorway;
  enum class Stage { silent, turned_out, spoken, waiting, shaking, gone };
  void turn_out();
  void leave_stage();
  void give_back();

  Doorway& door_;
  Source* source_ = nullptr;  // while it holds a place
  Stage stage_ = Stage::turned_out;
  bool is_agent_ = false;
  Line* line_ = nullptr;            // while it is silent or waiting
  std::list<Guest*>::iterator at_;  // while it is silent or waiting
  std::uint64_t ticket_ = 0;        // while it is waiting
  Event called_;
};

}  // namespace sallyport::gateway
