#pragma once

#include "shared/mux/mux.h"

#include <deque>
#include <map>
#include <optional>
#include <random>
#include <string>

namespace sallyport::sim {

enum class Fault { none, inflated_credit, swapped_bytes, lost_frame };

// Two muxes, the wires between them and their users, moved by one seeded source of chance. Every byte of a flow is a
// function of its channel, direction and place, so that each reader can judge what it gets; the wires count credit on
// their own. A history is: random steps, then everything is let go and must come to rest.
class LinkWorld {
 public:
  LinkWorld(std::uint64_t seed, Fault fault);
  // What went wrong, or nothing.
  std::optional<std::string> run(int steps);
  bool fault_took_effect() const { return planted_; }
  std::uint64_t bytes_delivered() const { return delivered_; }

 private:
  struct User {  // of one channel at one end
    std::uint64_t wrote = 0, got = 0;
    bool finished = false, peer_finished = false, broken = false;
  };
  struct End {
    mux::Mux mux;
    std::map<mux::ChannelNumber, User> users;
    std::deque<std::byte> wire;                           // what this end sent and the other has not received
    mux::FrameReader tap;                                 // reads the same bytes as they are sent
    std::map<mux::ChannelNumber, std::int64_t> may_send;  // by what the other end granted and this end received
    mux::FrameReader arrivals;
    std::map<mux::ChannelNumber, std::uint64_t> finished_at;  // bytes written on channels that were finished
    explicit End(mux::Side side);
  };

  unsigned pick(unsigned below) { return static_cast<unsigned>(random_() % below); }
  static std::byte pattern(int side, mux::ChannelNumber channel, std::uint64_t place);
  void step();
  void user_step(int side);
  void write(int side, mux::ChannelNumber channel, User& user);
  void read(int side, mux::ChannelNumber channel, User& user);
  void send(int side);
  void account_sent(int side, std::span<const std::byte> batch);
  void account_received(int side, std::span<const std::byte> bytes);
  void plant(Bytes& batch);
  void deliver(int side, std::size_t most);
  void check_bounds();
  void settle();
  void wrong(std::string what);

  std::mt19937_64 random_;
  Fault fault_;
  bool planted_ = false;
  End ends_[2];
  std::uint64_t delivered_ = 0;
  std::optional<std::string> wrong_;
};

}  // namespace sallyport::sim
