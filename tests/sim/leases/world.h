#pragma once

#include "agent/runner/sent_holdings.h"
#include "relay/jobs/leases.h"
#include "tests/sim/runner/dice.h"

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace sallyport::sim {

// A fault put in on purpose: the invariant must notice it.
enum class Planted {
  none,
  dispatch_counts_from_reading,  // the agent's lease begins when it reads the dispatch
  renewal_counts_from_reading,   // or the answer to a Holding
  clock_stops_in_sleep,          // the agent's clock does not count while its machine sleeps
  rests_on_newest_at_sending,    // the relay names the Holding it has when it sends, not when it grants
  missing_is_never_held,         // the relay takes back what a Holding of the same link does not name
};

// One relay that hands one job to one of two agents, over lines that stall, with machines that stop, sleep, restart and
// have clocks of their own, where the dice say so. What each believes comes from the product's cores; the world knows
// the real time, and sees to it that nobody begins a step of a job that the relay has given to somebody else.
class LeaseWorld {
 public:
  LeaseWorld(std::uint64_t seed, Planted planted);

  // The first broken invariant; empty when it held all the time.
  std::string run();

  struct Tally {
    std::size_t begun = 0;      // steps
    std::size_t stale = 0;      // dispatches that were read after their lease had ended
    std::size_t confirmed = 0;  // of them, those that the relay let go on
    std::size_t fenced = 0;     // of them, those that somebody else had got meanwhile
    std::size_t moved = 0;      // times that the job changed hands
  };
  const Tally& tally() const { return tally_; }

 private:
  using Ms = std::chrono::milliseconds;
  struct Dispatch {
    std::uint64_t epoch, holding;
  };
  struct Answer {
    std::uint64_t holding, epoch;
    jobs::Verdict verdict;
  };
  struct Holding {
    std::uint64_t number, epoch;  // 0: nothing is held
  };
  struct Accepted {
    std::uint64_t epoch;
  };
  using ToAgent = std::variant<Dispatch, Answer>;
  using ToRelay = std::variant<Holding, Accepted>;
  template <class Message>
  struct Line {  // in order, each message at its time
    struct Sent {
      Ms arrives;
      Message message;
    };
    std::deque<Sent> sent;
  };
  struct Link {
    bool cut = false;  // by the relay: what it sent before can still be read
    SteadyTime since;
    bool first_holding = true;
    std::uint64_t heard = 0;
    Line<ToAgent> down;
    Line<ToRelay> up;
  };
  struct Agent {
    AgentId id;
    double rate = 1;
    Ms offset{0}, uncounted{0};
    Ms stopped_until{0};
    std::shared_ptr<Link> link;
    runner::SentHoldings holdings;
    std::uint64_t epoch = 0;  // of the job, in its journal; 0: it does not have it
    platform::BootTime lease_end = platform::BootTime::min();
    platform::BootTime holding_due{};
    bool stale = false;
  };
  struct Unsent {
    Agent* agent;
    std::shared_ptr<Link> link;
    Dispatch dispatch;
    Ms at;
  };

  platform::BootTime clock_of(const Agent& agent) const;
  SteadyTime relay_clock() const { return SteadyTime(now_ + Ms(7'000'000)); }
  Ms delay();
  template <class Message>
  void send(Line<Message>& line, Message message);
  template <class Message>
  std::optional<Message> receive(Line<Message>& line);

  void meddle();
  void restart_relay();
  void relay_turn();
  void hear(Agent& from, Link& link, const Holding& holding);
  void hear(Agent& from, Link& link, const Accepted& accepted);
  void take_back_lost();
  void grant();
  void post_unsent();
  void agent_turn(Agent& agent);
  void link_up(Agent& agent);
  void say_holding(Agent& agent);
  void read(Agent& agent, const Dispatch& dispatch);
  void read(Agent& agent, const Answer& answer);
  void begin_step(Agent& agent);

  Dice dice_;
  Planted planted_;
  Ms now_{0};
  Ms relay_stopped_until_{0};
  jobs::Leases leases_;
  std::uint64_t epoch_ = 0;
  std::optional<AgentId> last_holder_;
  std::array<Agent, 2> agents_;
  std::vector<Unsent> unsent_;
  Tally tally_;
  std::string violation_;
};

}  // namespace sallyport::sim
