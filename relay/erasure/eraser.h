#pragma once

#include "relay/audit/audit.h"
#include "relay/erasure/receipts.h"
#include "relay/keys/hierarchy.h"
#include "relay/store/erasures.h"
#include "relay/store/job_keys.h"
#include "relay/store/key_store.h"
#include "shared/async/event.h"
#include "shared/base/log.h"
#include "shared/base/metrics.h"

#include <functional>

namespace sallyport::erasure {

// Erases people and organisations. What begins one is a transaction of the store, in which everybody of an organisation
// loses access; the rest is done by run(), in small transactions, and by the next relay where this one was cut short:
// first what goes on of the organisation is stopped, then its keys are destroyed, then rows go, space is given back,
// objects in archives are removed, and the receipt is written. Keys that came back since, with an older keys.db that
// was put beside a newer relay.db, are destroyed again at the start. One executor; the parts outlive it.
class Eraser {
 public:
  static constexpr std::chrono::seconds kObjectsPatience{60};

  struct Parts {
    store::Erasures& store;
    store::JobKeys& job_keys;  // gives space back
    store::KeyStore& key_store;
    keys::Hierarchy& keys;
    Receipts& receipts;
    Audit& audit;
    const Clock& clock;
    const Log& log;
    Metrics& metrics;
    // Stops what this relay does for the organisation: links, jobs, tunnels. Never empty; called again after a failure.
    std::function<boost::asio::awaitable<Result<void>>(OrgId)> quieten;
    // Makes the backups of keys anew, so that none holds what was destroyed. Empty: there are none.
    std::function<boost::asio::awaitable<Result<void>>()> renew_key_backups = {};
    // The same, when there is a backup of an earlier epoch of the anchor than this; else nothing. Empty: there are
    // none.
    std::function<boost::asio::awaitable<Result<void>>(std::uint64_t epoch)> end_key_backups_before = {};
    std::chrono::milliseconds key_backups_kept{};
    // Removes some of the objects that are to be removed from archives (store::Archive::to_remove); how many. It begins
    // with none after the time given. Empty: there are no archives.
    std::function<boost::asio::awaitable<Result<std::size_t>>(SteadyTime)> remove_objects = {};
    // What an archive that does not answer may keep a receipt waiting: it says how many objects are left.
    std::chrono::milliseconds objects_patience = kObjectsPatience;
  };
  Eraser(const boost::asio::any_io_executor& executor, Parts parts);

  struct Order {
    std::string asked_by;
    ErasureId id = {};  // empty: one is made
  };
  // Errors: those of Erasures::begin_person and begin_organisation. When they return it has begun and cannot be undone.
  boost::asio::awaitable<Result<store::Erasure>> begin_person(OrgId org, UserId person, Order order,
                                                              store::AuditNote<store::UserChange> note);
  boost::asio::awaitable<Result<store::Erasure>> begin_organisation(OrgId org, Order order, store::AuditNote<> note);

  boost::asio::awaitable<void> run();  // until cancelled
  // Goes on with all that is not finished; false: something could not be, and is to be tried again.
  boost::asio::awaitable<bool> look();

  static constexpr std::chrono::seconds kAgain{5};

 private:
  store::Erasure erasure_of(store::ErasedSubject subject, OrgId org, Order order) const;
  boost::asio::awaitable<Result<void>> repeat();
  boost::asio::awaitable<Result<void>> complete(store::Erasure erasure);
  boost::asio::awaitable<Result<void>> destroy_keys(store::Erasure& erasure);
  boost::asio::awaitable<Result<void>> erase_rows(store::Erasure erasure);
  boost::asio::awaitable<Result<void>> remove_objects(ErasureId id);
  boost::asio::awaitable<Result<void>> give_receipt(store::Erasure erasure);

  Parts parts_;
  Event work_;
  Gauge& open_;
  bool repeated_ = false;  // since this process runs
  std::string told_;       // why it is not
};

}  // namespace sallyport::erasure
