#pragma once

#include "relay/archive/place.h"
#include "relay/archive/record.h"
#include "relay/archive/sealed_object.h"
#include "relay/audit/audit.h"
#include "relay/keys/hierarchy.h"
#include "relay/store/archive.h"
#include "shared/base/log.h"
#include "shared/base/metrics.h"

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace sallyport::archive {

// Puts the records of ended jobs into their organisations' archives, and takes them out when their time there is over.
// What waits is in the store: a relay that dies goes on where it was, and an object has one name, so that putting it
// again changes nothing. No job waits for it. One executor.
class Archiver {
 public:
  struct Parts {
    store::Archive& archive;
    store::Jobs& jobs;
    store::KeyStore& key_store;
    RecordMaker& records;
    keys::Hierarchy& keys;
    Places& places;
    const Audit& audit;
    const Clock& clock;
    const Log& log;
    Metrics& metrics;
    // What time it is at the earliest: a payload whose retention has ended by it cannot be archived any more.
    std::function<std::optional<WallTime>()> believed;
    std::size_t most_object = kMostObject;  // bytes; what is larger is given up, for it could not be read back
  };
  explicit Archiver(Parts parts);

  boost::asio::awaitable<void> run();  // a pass every kPause
  // What is due, at most kAtOnce; how many of them wait no more. What fails is tried again later, or given up when
  // its data is gone: the organisation's ledger says so (job.not_archived).
  boost::asio::awaitable<Result<std::size_t>> archive_due();
  // Objects whose keys are gone, and those of erased organisations: at most kRemovedAtOnce at a place. How many are
  // gone; a place where one cannot be removed is left alone for longer and longer, and goes on with another object.
  // What is being put is removed later. After `until` no removal begins.
  boost::asio::awaitable<Result<std::size_t>> remove_ended();
  boost::asio::awaitable<Result<std::size_t>> remove_erased(std::optional<SteadyTime> until = {});
  // The record of an archived job, as RecordMaker made it. not_found: none, or its time is over. Of a place that does
  // not work the error says no more than trouble_at; the log says why.
  boost::asio::awaitable<Result<Secret>> read(OrgId org, JobId job);
  // What the last try at a place came to, for organisations: no host and no path of the relay's. "" when it worked.
  std::string trouble_at(std::string_view place) const;
  bool knows(std::string_view place) const { return parts_.places.contains(place); }
  std::vector<std::string> places() const;

  static constexpr std::chrono::seconds kPause{2};
  static constexpr std::size_t kAtOnce = 20;
  static constexpr std::size_t kRemovedAtOnce = 100;
  static constexpr std::chrono::seconds kFirstDelay{5};
  static constexpr std::chrono::seconds kLongestDelay{600};

 private:
  // A place where an object could not be removed.
  struct Rest {
    std::uint32_t failures = 0;  // one after another
    std::uint64_t turn = 0;      // failures, ever: each try begins with another object
    SteadyTime until;
  };
  using Rests = std::map<std::string, Rest, std::less<>>;

  boost::asio::awaitable<void> pass();
  boost::asio::awaitable<Result<void>> archive_one(store::WaitingRecord waiting, std::set<std::string>& broken);
  boost::asio::awaitable<Result<SealedObject>> make_object(const store::Job& job);
  boost::asio::awaitable<Result<void>> put_object(const store::ArchivedRecord& record, Bytes bytes);
  boost::asio::awaitable<Result<void>> give_up(store::WaitingRecord waiting, std::string reason);
  boost::asio::awaitable<Result<void>> put_off(store::WaitingRecord waiting);
  boost::asio::awaitable<bool> take_away(Rest& rest, std::string from, std::string object);
  boost::asio::awaitable<Result<void>> remove_object(std::string from, std::string object);
  boost::asio::awaitable<Result<std::size_t>> remove_ended_at(std::string name, std::vector<store::EndedObjects> ended);
  boost::asio::awaitable<Result<std::size_t>> clear(std::string name, std::optional<SteadyTime> until);
  bool data_is_gone(const store::Job& job) const;
  Result<Place*> place(std::string_view name) const;
  bool rests(const Rest& rest) const { return parts_.clock.steady() < rest.until; }
  void note(const std::string& place, const Result<void>& outcome);

  Parts parts_;
  struct Trouble {
    std::string why;   // for the log
    std::string told;  // to organisations
  };

  Gauge& waiting_;
  Gauge& to_remove_;
  Counter& archived_;
  Counter& failures_;
  Counter& given_up_;
  std::map<std::string, Trouble, std::less<>> trouble_;
  Rests ended_rests_;                                      // each its own: an object of one kind that cannot be removed
  Rests erased_rests_;                                     // keeps none of the other kind from going
  std::set<std::pair<std::string, std::string>> put_now_;  // place and object
};

// "2026/01/31/RANDOM.sallyport": it tells the day on which a job ended, and nothing else.
std::string object_name(WallTime ended);

}  // namespace sallyport::archive
