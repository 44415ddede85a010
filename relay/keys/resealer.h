#pragma once

#include "relay/keys/layered_envelope.h"
#include "relay/keys/own_keys.h"
#include "relay/store/standing_records.h"
#include "shared/base/log.h"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace sallyport::keys {

// Somebody who took a key before it was rotated may write what it sealed so much later: a key is used for 300 s.
inline constexpr std::chrono::minutes kLateWriters{10};

// Seals standing records that are under older versions of the global or the organisation's key anew under the newest:
// each organisation's once after a start, once after each rotation, and once more when nobody can hold an older key any
// more. What is done can be seen in the records, so nothing is kept of it. A record that somebody writes meanwhile is
// left as it was written. One executor.
class Resealer {
 public:
  struct Parts {
    store::KeyStore& store;
    store::StandingRecords& records;
    Hierarchy& keys;
    LayeredEnvelope& envelope;
    const OwnKeys& own;
    const Log& log;
    // Has keys.db copied as it is now, before anything is sealed under its newest keys alone. false: it is not copied,
    // and all stays as it is. Empty: nobody keeps copies.
    std::function<boost::asio::awaitable<bool>()> copy_keys = {};
  };
  explicit Resealer(Parts parts) : parts_(std::move(parts)) {}

  // A batch of organisations; true: there are more. One whose own key is refused is passed over until it is restored,
  // and a record that does not open is tried again after kLateWriters.
  boost::asio::awaitable<Result<bool>> look();

  // At most kMostCounted of either.
  static constexpr std::size_t kMostCounted = 1'000;
  boost::asio::awaitable<Result<std::uint64_t>> records_waiting(OrgId org);
  boost::asio::awaitable<Result<std::size_t>> organisations_waiting();

 private:
  struct Seen {
    StandingVersions under;
    bool done = false;  // all that could be read is under these
    std::optional<SteadyTime> again = {};
  };
  struct Tally {
    std::size_t resealed = 0;
    std::size_t failed = 0;
    std::size_t gone = 0;     // their key was given up: nothing opens them any more
    std::string reason = {};  // of the first of either
  };

  boost::asio::awaitable<Result<void>> tend(OrgId org, StandingVersions newest);
  boost::asio::awaitable<Result<void>> reseal(OrgId org, StandingVersions newest, Tally& tally);
  boost::asio::awaitable<Result<std::vector<store::ResealedRecord>>> sealed_anew(
      OrgId org, StandingVersions newest, std::vector<store::StandingRecord> records, Tally& tally);
  boost::asio::awaitable<Result<void>> expect_copy();
  boost::asio::awaitable<Result<std::uint32_t>> newest_global();
  bool is_due(const OrgId& org, const StandingVersions& newest) const;
  boost::asio::awaitable<Result<bool>> has_records_waiting(OrgId org, StandingVersions newest);
  bool is_done(const OrgId& org, const StandingVersions& newest) const;
  void note(const OrgId& org, const StandingVersions& newest, const Tally& tally);
  SteadyTime now() const { return parts_.keys.clock().steady(); }

  Parts parts_;
  std::map<OrgId, Seen> seen_;
  OrgId looked_to_;
  bool copied_ = false;  // in this look
};

}  // namespace sallyport::keys
