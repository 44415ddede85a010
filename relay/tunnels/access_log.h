#pragma once

#include "relay/store/tunnels.h"
#include "shared/async/event.h"
#include "shared/base/log.h"
#include "shared/base/metrics.h"
#include "shared/base/seldom.h"

#include <list>
#include <map>

namespace sallyport::tunnels {

struct AccessLogLimits {
  std::size_t waiting = 20'000;                // records that the store has not taken yet
  std::size_t batch = 256;                     // written in one transaction
  std::chrono::milliseconds gather{1'000};     // how long the oldest one waits for others
  std::chrono::milliseconds retry{1'000};      // after the store refused
  std::chrono::milliseconds complain{60'000};  // how often it is told that the store refuses
};

// Access records on their way to the store, in batches. A connection that ends before its begin was written costs one
// write. What the store refuses is tried again; when there is too much, records of connections that are still open go
// first (they come again with their end), then the oldest closed ones, which are counted. Lives on the relay's loop.
class AccessLog {
 public:
  struct Parts {
    store::Tunnels& tunnels;
    const Log& log;
    Counter& dropped;
  };
  AccessLog(const boost::asio::any_io_executor& executor, Parts parts, AccessLogLimits limits = {});

  void note(const OrgId& org, store::TunnelConnection record);  // open or closed; never waits
  boost::asio::awaitable<void> run();                           // until close(); not to be cancelled
  // Nothing is noted any more; what waits is written until `deadline`, the rest is lost and told.
  void close(SteadyTime deadline);
  std::size_t waiting() const { return begun_.size() + closed_.size(); }

 private:
  struct Waiting {
    OrgId org;
    store::TunnelConnection record;
  };
  using Line = std::list<Waiting>;
  struct Batch {
    OrgId org;
    std::vector<store::TunnelConnection> records;
  };

  boost::asio::awaitable<void> gather();
  boost::asio::awaitable<void> write_waiting();
  boost::asio::awaitable<std::optional<std::size_t>> write_some();  // how many; nothing: try again later
  boost::asio::awaitable<void> pause();
  Line& line_of(const store::TunnelConnection& record) { return record.closed_at ? closed_ : begun_; }
  void enlist(Line& line, Line::iterator before, Waiting one);
  void forget(Line::iterator at);
  Batch take();
  void take_from(Line& line, Batch& batch, std::size_t most);
  void put_back(Batch batch);
  void refused(Batch batch, const Error& why);
  void drop(const Batch& batch, const Error& why);
  void hold_to_limit();
  bool is_over() const;

  Parts parts_;
  AccessLogLimits limits_;
  Line begun_, closed_;  // oldest first; a connection is in one of them at the most
  std::map<TunnelConnectionId, Line::iterator> by_id_;
  std::size_t singly_ = 0;  // so many are written one by one, to find the one that the store never takes
  Event changed_;
  Event closing_;
  SteadyTime deadline_ = SteadyTime::max();
  Seldom complaints_;
  Seldom drops_;
};

}  // namespace sallyport::tunnels
