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
  };
  explicit Archiver(Parts parts);

  boost::asio::awaitable<void> run();  // a pass every kPause
  // What is due, at most kAtOnce; how many of them wait no more. What fails is tried again later, or given up when
  // its data is gone: the organisation's ledger says so (job.not_archived).
  boost::asio::awaitable<Result<std::size_t>> archive_due();
  // Objects whose keys are gone. How many there were; what cannot be removed now is tried at the next pass.
  boost::asio::awaitable<Result<std::size_t>> remove_ended();
  // Objects of erased organisations, at most kRemovedAtOnce at each place. How many are gone; a place where one cannot
  // be removed is left alone for longer and longer, and goes on with another object.
  boost::asio::awaitable<Result<std::size_t>> remove_erased();
  // The record of an archived job, as RecordMaker made it. not_found: none, or its time is over.
  boost::asio::awaitable<Result<Secret>> read(OrgId org, JobId job);
  // What the last try at a place came to: "" when it worked.
  std::string trouble_at(std::string_view place) const;
  bool knows(std::string_view place) const { return parts_.places.contains(place); }
  std::vector<std::string> places() const;

  static constexpr std::chrono::seconds kPause{2};
  static constexpr std::size_t kAtOnce = 20;
  static constexpr std::size_t kRemovedAtOnce = 100;
  static constexpr std::chrono::seconds kFirstDelay{5};
  static constexpr std::chrono::seconds kLongestDelay{600};

 private:
  boost::asio::awaitable<void> pass();
  boost::asio::awaitable<Result<void>> archive_one(store::WaitingRecord waiting, std::set<std::string>& broken);
  boost::asio::awaitable<Result<SealedObject>> make_object(const store::Job& job);
  boost::asio::awaitable<Result<void>> put_object(const store::ArchivedRecord& record, Bytes bytes);
  boost::asio::awaitable<Result<void>> give_up(store::WaitingRecord waiting, std::string reason);
  boost::asio::awaitable<Result<void>> put_off(store::WaitingRecord waiting);
  boost::asio::awaitable<Result<void>> remove_object(std::string from, std::string object);
  boost::asio::awaitable<Result<std::size_t>> clear(std::string name);
  bool data_is_gone(const store::Job& job) const;
  Result<Place*> place(std::string_view name) const;
  void note(const std::string& place, std::string trouble);

  Parts parts_;
  // A place from which objects of erased organisations are removed.
  struct Clearing {
    std::uint32_t failures = 0;  // one after another
    SteadyTime not_before;
  };

  Gauge& waiting_;
  Gauge& to_remove_;
  Counter& archived_;
  Counter& failures_;
  Counter& given_up_;
  std::map<std::string, std::string, std::less<>> trouble_;
  std::map<std::string, Clearing, std::less<>> clearing_;
};

// "2026/01/31/RANDOM.sallyport": it tells the day on which a job ended, and nothing else.
std::string object_name(WallTime ended);

}  // namespace sallyport::archive
