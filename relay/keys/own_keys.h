#pragma once

#include "relay/keys/hierarchy.h"
#include "relay/keys/measured_provider.h"
#include "shared/async/event.h"
#include "shared/async/task_group.h"
#include "shared/base/log.h"
#include "shared/base/metrics.h"
#include "shared/base/value.h"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace sallyport::keys {

// Why an organisation pauses whose attached key is not in keys.db.
inline constexpr std::string_view kMissing =
    "the key that was attached is not in the relay's keys.db, which is older than the attachment: attach it again "
    "(sallyport keys attach), or go on without one (sallyport keys detach)";

inline constexpr std::chrono::seconds kRefusedAgain{15};  // a key that could not be had is asked for again
inline constexpr std::chrono::hours kGoneAfter{1};

// A key that an organisation keeps itself, and how this relay may use it.
struct OwnKeyOrder {
  std::string kind;    // "aws_kms", "vault", "pkcs11", "file"
  ValueMap place;      // which key; no credentials
  Secret credentials;  // empty: what its place needs is the operator's
};

// Where organisations may keep keys of their own.
class OwnKeyPlaces {
 public:
  virtual ~OwnKeyPlaces() = default;
  // What asks there; nobody is asked yet. Its errors and its name are for the organisation's owners: they tell nothing
  // of this host. Errc::invalid, forbidden: what the organisation may not name, or is wrong with it.
  virtual Result<std::unique_ptr<Provider>> provider(const OrgId& org, const OwnKeyOrder& order) = 0;
};

// What is told of an attached key.
struct OwnKeyFacts {
  std::uint32_t version = 0;
  std::string kind;
  ValueMap place;
  WallTime attached_at;
  std::optional<WallTime> refused_since;
  std::string reason;
};

// Keys of their own that organisations have attached (docs/keys.md). Asks for each attachment's key before the last one
// is too old, and again and again while it is refused; nobody else asks, so nobody waits. Refused, and nothing of its
// organisation is read or written: at once when it is revoked, disabled or gone, when the last one is too old where
// nobody answers. Never a fall-back. One that keys.db must hold and does not (store::KeyWitnesses) is missing: refused
// until its owner attaches a key again, or detaches. One executor.
class OwnKeys {
 public:
  enum class Came { refused, restored };
  struct Parts {
    store::KeyStore& store;
    Hierarchy& keys;
    OwnKeyPlaces& places;
    const Clock& clock;
    const Log& log;
    Metrics& metrics;
    // Told of each change, for the organisation's ledger and for whoever waits; an error: told again when the key is
    // asked for next. What a crash cuts off is told twice. May be empty.
    std::function<boost::asio::awaitable<Result<void>>(OrgId, Came, std::string reason)> tell = {};
  };
  OwnKeys(const boost::asio::any_io_executor& executor, Parts parts);

  // Before anything of an organisation is read.
  boost::asio::awaitable<Result<void>> load();
  // Asks for all whose time it is, until cancelled. Each waits for itself.
  boost::asio::awaitable<void> run();
  // The same once, to its end.
  boost::asio::awaitable<void> look();
  // The same for so long at most: what has not come by then is asked for again.
  boost::asio::awaitable<void> meet(std::chrono::seconds patience);

  // Its key is proven first, with a fresh one that must come back as it was: invalid: why it did not, and nothing has
  // changed. Another one that is attached must be there too, for what is under it is wrapped anew, unless the new one
  // opens that as well (the same key with other credentials): unavailable.
  // conflict: attached or detached at the same moment. `before` runs once all that is known to be needed is there, and
  // an error of it leaves everything as it is.
  using Before = std::function<boost::asio::awaitable<Result<void>>()>;
  boost::asio::awaitable<Result<void>> attach(OrgId org, OwnKeyOrder order, Before before = {});
  // From then on the organisation's key is under the global key alone. not_found: there is none. unavailable: the
  // attached key cannot be had, without which nothing can be wrapped anew.
  enum class Detach {
    with_its_key,
    // Everything that is under it is given up, for good. conflict: it can be had, or is only out of reach: who keeps it
    // has not refused it, and it was there in the last kGoneAfter.
    without_it,
  };
  boost::asio::awaitable<Result<void>> detach(OrgId org, Detach how = Detach::with_its_key, Before before = {});

  // Credentials that are sealed under an older version of the global key come under the newest. Of how many
  // organisations.
  boost::asio::awaitable<Result<std::size_t>> reseal_credentials();

  // The organisation is erased: its key is not asked for any more.
  void leave(const OrgId& org);

  std::optional<OwnKeyFacts> facts(const OrgId& org) const;  // nothing: none is attached
  // Whether what is under its own key can be read and written now; always without one.
  bool usable(const OrgId& org) const;

 private:
  struct Attachment {
    Attachment(const boost::asio::any_io_executor& executor, store::OwnKey stored)
        : row(std::move(stored)), idle(executor) {
      idle.set();
    }
    store::OwnKey row;
    std::shared_ptr<Provider> provider;  // made when it is asked for first
    SteadyTime due{};
    bool witnessed = false;     // that it stands
    Event idle;                 // nobody asks for it
    bool told_damaged = false;  // that its credentials do not open
    bool by_keeper = false;     // who keeps it has refused it when it was asked for last
  };
  using Shared = std::shared_ptr<Attachment>;

  std::vector<std::pair<OrgId, Shared>> due_now();
  boost::asio::awaitable<void> ask(OrgId org, Shared one);
  boost::asio::awaitable<void> ask_and_count(OrgId org, Shared one, std::size_t& left, Event& none_left);
  boost::asio::awaitable<Result<HeldKey>> unwrapped(OrgId org, Shared one);
  boost::asio::awaitable<Result<HeldKey>> unwrapped_by(std::shared_ptr<Provider> provider, OrgId org, Shared one);
  boost::asio::awaitable<Result<Secret>> credentials_of(OrgId org, store::OwnKey row);
  boost::asio::awaitable<Result<void>> make_provider(const OrgId& org, Attachment& one);
  boost::asio::awaitable<void> learn(OrgId org, Shared one, Result<HeldKey> key, SteadyTime asked);
  boost::asio::awaitable<void> refused(OrgId org, Shared one, Error why);
  boost::asio::awaitable<void> note(OrgId org, Shared one, Came came, std::string reason);
  boost::asio::awaitable<Result<void>> find_missing();
  boost::asio::awaitable<void> miss(OrgId org, store::WitnessedAttachment missing);
  boost::asio::awaitable<void> witness(OrgId org, Shared one);
  boost::asio::awaitable<Result<void>> witness_none(OrgId org);
  boost::asio::awaitable<bool> tell(OrgId org, Came came, std::string reason);
  boost::asio::awaitable<Result<std::uint32_t>> last_version(OrgId org);
  struct Proven {
    HeldKey key;
    Bytes wrapped;
  };
  boost::asio::awaitable<Result<Proven>> prove(OrgId org, std::uint32_t version, Provider& provider);
  boost::asio::awaitable<Result<std::optional<HeldKey>>> present(const OrgId& org,
                                                                 std::shared_ptr<Provider> otherwise = {});
  boost::asio::awaitable<Result<void>> attach_in_turn(OrgId org, OwnKeyOrder order, Before before);
  boost::asio::awaitable<Result<void>> detach_in_turn(OrgId org, Detach how, Before before);
  // How the organisation's key leaves an attachment.
  using Write = std::function<boost::asio::awaitable<Result<void>>()>;
  boost::asio::awaitable<Result<Write>> way_out(OrgId org, Detach how);
  bool is_gone(const Attachment& one) const;
  boost::asio::awaitable<Result<void>> take_away(OrgId org, Write leave);
  boost::asio::awaitable<Result<void>> change(OrgId org, std::uint32_t wanted, Write write);
  bool is_present(const OrgId& org, const Shared& one) const;
  std::optional<WallTime> refused_since_of(const OrgId& org) const;
  void enter(const OrgId& org, Shared one);
  void drop(const OrgId& org);
  void count();
  std::shared_ptr<Provider> measured(std::unique_ptr<Provider> real) {
    return std::make_shared<MeasuredProvider>(std::move(real), calls_, parts_.clock);
  }
  Result<HeldKey> held(const Secret& plain, std::uint32_t version, SteadyTime asked) const;

  boost::asio::any_io_executor executor_;
  Parts parts_;
  ProviderFigures calls_;
  Gauge& attached_now_;
  Gauge& refused_now_;
  Counter& refusals_;
  Counter& restorations_;
  std::map<OrgId, Shared> attached_;
  std::map<OrgId, store::WitnessedAttachment> missing_;  // that keys.db must hold; an older one of theirs may stand
  std::set<OrgId> changing_;
  std::set<OrgId> left_;  // erased while this process runs
};

}  // namespace sallyport::keys
