#pragma once

#include "relay/keys/own_keys.h"
#include "relay/keys/resealer.h"
#include "relay/keys/reserve.h"
#include "relay/keys/trouble.h"
#include "shared/async/event.h"
#include "shared/base/log.h"
#include "shared/base/metrics.h"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sallyport::keys {

inline constexpr std::chrono::days kGlobalKeyAlarm{335};  // this old, somebody should have a look
inline constexpr std::chrono::days kGlobalKeyLife{365};   // then the next version is made

struct VersionFacts {
  std::uint32_t version = 0;
  std::uint32_t under = 0;
  WallTime created_at;
};

// What can be told of keys without one: no key, wrapped or not, is in it.
struct OrganisationKeys {
  std::vector<VersionFacts> versions;  // oldest first; none: nothing was sealed yet
  std::vector<store::CountedLane> lanes;
  std::optional<std::string> unavailable;  // why its newest key cannot be had now, in words for all of it
  std::optional<OwnKeyFacts> own;          // what it has attached
  std::uint64_t waiting = 0;               // standing records still under older versions (at most 1,000 are counted)
};
struct DeploymentKeys {
  std::string provider;
  std::optional<std::string> unavailable;  // why the newest global key cannot be had now, in words for the operator
  std::vector<VersionFacts> versions;
  std::uint64_t epoch = 0;  // how often the anchor has turned
  // At most 1,000 are counted.
  std::size_t waiting = 0;    // organisations' keys still under an older version
  std::size_t to_reseal = 0;  // organisations whose standing records may be under older versions
};

// Tells of the keys, makes new versions on request and in time, and wraps and seals what is under an older one under
// the newest in the background: whatever cuts it short, it goes on where it was. One executor.
class Custodian {
 public:
  struct Parts {
    store::KeyStore& store;
    Provider& provider;
    Hierarchy& keys;
    OwnKeys& own;
    // What time it is at the earliest; nothing: not known now, and nothing is too old.
    std::function<std::optional<WallTime>()> believed;
    const Log& log;
    Metrics& metrics;
    Reserve* reserve = nullptr;        // for a disk that is full
    Resealer* resealer = nullptr;      // of standing records; without it they stay as they are
    const Trouble* trouble = nullptr;  // of where the master key is kept
  };
  Custodian(const boost::asio::any_io_executor& executor, Parts parts);

  boost::asio::awaitable<Result<OrganisationKeys>> of_organisation(OrgId org);
  boost::asio::awaitable<Result<DeploymentKeys>> of_deployment();
  boost::asio::awaitable<Result<std::uint64_t>> epoch() { return parts_.store.epoch(); }  // of the anchor
  // What keys.db says is destroyed is beyond recall; an error: an older anchor still lies on the disk.
  boost::asio::awaitable<Result<void>> settled() { return parts_.keys.settled(); }
  boost::asio::awaitable<Result<std::uint32_t>> rotate_organisation(OrgId org);
  boost::asio::awaitable<Result<std::uint32_t>> rotate_deployment();

  OwnKeys& own() { return parts_.own; }  // to attach and detach

  boost::asio::awaitable<void> run();
  // One look: a new version when the newest is kGlobalKeyLife old, a batch of what is to be wrapped anew, and one of
  // what is to be sealed anew. true: there may be more. What cannot be had is passed over until a look begins at the
  // first again.
  boost::asio::awaitable<Result<bool>> look();

 private:
  boost::asio::awaitable<Result<void>> mind_age();
  boost::asio::awaitable<Result<std::size_t>> count_waiting();
  boost::asio::awaitable<std::optional<std::string>> master_key_away();

  Parts parts_;
  Event work_;  // a new version is there: run() wraps and seals under it now
  Gauge& waiting_;
  std::optional<std::int64_t> told_days_;  // the alarm comes once a day
  store::TenantKeyPlace rewrapped_to_;
  std::string told_;  // why the last look could not do all
};

}  // namespace sallyport::keys
