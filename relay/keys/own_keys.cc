#include "relay/keys/own_keys.h"

#include "relay/keys/key_names.h"
#include "relay/keys/sealed_credentials.h"
#include "shared/base/json.h"
#include "shared/crypto/aead.h"

#include <fmt/format.h>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace sallyport::keys {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds kTick{1};

// For how long before its end a key is asked for again, however short its life is.
std::chrono::milliseconds head_start(std::chrono::milliseconds life) {
  const std::chrono::milliseconds least = 2 * kTick;
  return std::max(life / 9, std::min(life / 2, least));
}

std::string credentials_purpose(const OrgId& org, const store::OwnKey& row) {
  return fmt::format("{}\n{}\n{}", credentials_name(org, row.version), row.kind, row.place);
}

// One call at a time to where a key is kept.
class Asking {
 public:
  explicit Asking(Event& idle) : idle_(idle) { idle_.clear(); }
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;
  ~Asking() { idle_.set(); }

 private:
  Event& idle_;
};

// One change of an organisation's key at a time, however it ends.
class Changing {
 public:
  Changing(std::set<OrgId>& all, OrgId org) : all_(all), org_(std::move(org)), began_(all_.insert(org_).second) {}
  Changing(const Changing&) = delete;
  Changing& operator=(const Changing&) = delete;
  ~Changing() {
    if (began_) all_.erase(org_);
  }
  bool began() const { return began_; }

 private:
  std::set<OrgId>& all_;
  OrgId org_;
  bool began_;
};

auto faults_to(const Log& log) {
  return [&log](const std::string&, const std::string& why) { log.error("organisation_key.fault", {{"why", why}}); };
}

std::unexpected<Error> is_being_changed() { return fail(Errc::conflict, "its own key is being changed; try again"); }

}  // namespace

OwnKeys::OwnKeys(const asio::any_io_executor& executor, Parts parts)
    : executor_(executor),
      parts_(std::move(parts)),
      calls_(parts_.metrics, WhoseKey::own),
      attached_now_(parts_.metrics.gauge("sallyport_organisation_keys_attached",
                                         "Organisations that have attached a key of their own.")),
      refused_now_(parts_.metrics.gauge("sallyport_organisation_keys_refused",
                                        "Organisations whose own key cannot be used now.")),
      refusals_(parts_.metrics.counter("sallyport_organisation_key_changes_total",
                                       "How often organisations' own keys were refused or restored.",
                                       {{"change", "refused"}})),
      restorations_(parts_.metrics.counter("sallyport_organisation_key_changes_total",
                                           "How often organisations' own keys were refused or restored.",
                                           {{"change", "restored"}})) {}

asio::awaitable<Result<void>> OwnKeys::load() {
  SP_CO_TRY(auto rows, co_await parts_.store.own_keys());
  for (auto& [org, row] : rows) {
    if (row.refused_since) refused_now_.add(1);
    enter(org, std::make_shared<Attachment>(executor_, std::move(row)));
  }
  co_return co_await find_missing();
}

std::vector<std::pair<OrgId, OwnKeys::Shared>> OwnKeys::due_now() {
  std::vector<std::pair<OrgId, Shared>> due;
  const auto now = parts_.clock.steady();
  for (const auto& [org, one] : attached_) {
    if (one->idle.is_set() && one->due <= now && !missing_.contains(org)) due.emplace_back(org, one);
  }
  return due;
}

asio::awaitable<void> OwnKeys::look() {
  TaskGroup asking(executor_, faults_to(parts_.log));
  for (auto& [org, one] : due_now()) asking.spawn("ask", ask(std::move(org), std::move(one)));
  co_await asking.join();
}

asio::awaitable<void> OwnKeys::meet(std::chrono::seconds patience) {
  auto due = due_now();
  if (due.empty()) co_return;
  std::size_t left = due.size();
  Event none_left(executor_);
  TaskGroup asking(executor_, faults_to(parts_.log));
  for (auto& [org, one] : due) asking.spawn("ask", ask_and_count(std::move(org), std::move(one), left, none_left));
  co_await none_left.wait_until(parts_.clock.steady() + patience);
  asking.stop();
  co_await asking.join();
}

asio::awaitable<void> OwnKeys::ask_and_count(OrgId org, Shared one, std::size_t& left, Event& none_left) {
  co_await ask(std::move(org), std::move(one));
  if (--left == 0) none_left.set();
}

asio::awaitable<void> OwnKeys::run() {
  TaskGroup asking(executor_, faults_to(parts_.log));
  asio::steady_timer pause(executor_);
  const auto tick = std::min<std::chrono::milliseconds>(kTick, parts_.keys.life() / 4);
  co_await asio::this_coro::throw_if_cancelled(false);
  while ((co_await asio::this_coro::cancellation_state).cancelled() == asio::cancellation_type::none) {
    for (auto& [org, one] : due_now()) asking.spawn("ask", ask(std::move(org), std::move(one)));
    pause.expires_after(tick);
    boost::system::error_code ignored;
    co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  asking.stop();
  co_await asking.join();
}

bool OwnKeys::is_present(const OrgId& org, const Shared& one) const {
  const auto found = attached_.find(org);
  return found != attached_.end() && found->second == one;
}

asio::awaitable<void> OwnKeys::ask(OrgId org, Shared one) {
  if (!one->idle.is_set()) co_return;
  const Asking asking(one->idle);
  const auto began = parts_.clock.steady();
  auto key = co_await unwrapped(org, one);
  co_await learn(std::move(org), one, std::move(key), began);  // `one` stays until `asking` has gone
}

// What came of asking at `asked`. Whoever asked keeps others from it until this has ended.
asio::awaitable<void> OwnKeys::learn(OrgId org, Shared one, Result<HeldKey> key, SteadyTime asked) {
  if (!key && key.error().code == Errc::cancelled) co_return;
  co_await witness(org, one);
  if (!is_present(org, one) || missing_.contains(org)) co_return;
  if (!key) co_return co_await refused(std::move(org), std::move(one), std::move(key).error());
  const auto life = std::chrono::duration_cast<std::chrono::milliseconds>(parts_.keys.life());
  one->due = asked + life - head_start(life);
  parts_.keys.attachments().hold(org, *std::move(key));
  if (!one->row.refused_since) co_return;
  parts_.keys.forget(org);  // also that it could not be had
  co_await note(std::move(org), std::move(one), Came::restored, {});
}

asio::awaitable<void> OwnKeys::refused(OrgId org, Shared one, Error why) {
  const auto now = parts_.clock.steady();
  auto& keys = parts_.keys.attachments();
  one->due = now + kRefusedAgain;
  one->by_keeper = is_word_of_keeper(why.code);
  if (one->by_keeper) {
    keys.refuse(org, one->row.version, own_key_closed());
    parts_.keys.forget(org);
  } else {
    keys.fail_later(org, one->row.version, own_key_closed());
  }
  const auto still = keys.find(org, one->row.version, now);
  if (still) {
    one->due = std::min(one->due, still->until);
  } else {
    parts_.keys.forget(org);
    one->row.reason = why.message;
    if (!one->row.refused_since) co_await note(std::move(org), std::move(one), Came::refused, std::move(why).message);
  }
}

asio::awaitable<void> OwnKeys::note(OrgId org, Shared one, Came came, std::string reason) {
  const bool refused = came == Came::refused;
  const bool told = co_await tell(org, came, reason);
  if (!told || !is_present(org, one)) co_return;
  one->row.refused_since = refused ? std::optional(parts_.clock.wall()) : std::nullopt;
  one->row.reason = reason;
  refused_now_.add(refused ? 1 : -1);
  const auto noted = co_await parts_.store.note_own_key(org, one->row.version, one->row.refused_since, reason);
  if (!noted) parts_.log.error("organisation_key.not_noted", {{"org", org.value}, {"reason", noted.error().message}});
}

asio::awaitable<bool> OwnKeys::tell(OrgId org, Came came, std::string reason) {
  if (parts_.tell) {
    const auto told = co_await parts_.tell(org, came, reason);
    if (!told) {
      parts_.log.error("organisation_key.not_told", {{"org", org.value}, {"reason", told.error().message}});
      co_return false;
    }
  }
  if (came == Came::refused) {
    refusals_.add();
    parts_.log.warn("organisation_key.refused", {{"org", org.value}, {"reason", reason}});
  } else {
    restorations_.add();
    parts_.log.info("organisation_key.restored", {{"org", org.value}});
  }
  co_return true;
}

Result<HeldKey> OwnKeys::held(const Secret& plain, std::uint32_t version, SteadyTime asked) const {
  if (plain.size() != kKeySize) return fail(Errc::invalid, "what it unwrapped is no key");
  SP_TRY(LockedKey key, parts_.keys.memory().take());
  std::ranges::copy(as_bytes(plain.reveal()), key.writable().begin());
  return HeldKey{std::make_shared<const LockedKey>(std::move(key)), asked + parts_.keys.life(), version};
}

asio::awaitable<Result<HeldKey>> OwnKeys::unwrapped(OrgId org, Shared one) {
  if (!one->provider) SP_CO_CHECK(co_await make_provider(org, *one));
  auto provider = one->provider;
  co_return co_await unwrapped_by(std::move(provider), std::move(org), std::move(one));
}

asio::awaitable<Result<HeldKey>> OwnKeys::unwrapped_by(std::shared_ptr<Provider> provider, OrgId org, Shared one) {
  const auto asked = parts_.clock.steady();
  SP_CO_TRY(const auto plain, co_await provider->unwrap(attachment_name(org, one->row.version), one->row.wrapped));
  co_return held(plain, one->row.version, asked);
}

asio::awaitable<Result<void>> OwnKeys::make_provider(const OrgId& org, Attachment& one) {
  SP_CO_TRY(const auto place, parse_json(one.row.place));
  OwnKeyOrder order{one.row.kind, place.as_map(), {}};
  if (!one.row.credentials.empty()) {
    SP_CO_TRY(order.credentials, co_await credentials_of(org, one.row));
  }
  SP_CO_TRY(auto real, parts_.places.provider(org, order));
  one.provider = measured(std::move(real));
  co_return Result<void>();
}

asio::awaitable<Result<Secret>> OwnKeys::credentials_of(OrgId org, store::OwnKey row) {
  SP_CO_TRY(const auto version, global_version_of(row.credentials));
  SP_CO_TRY(const auto global, co_await parts_.keys.global(version));
  co_return open_credentials(global, credentials_purpose(org, row), row.credentials);
}

// Whoever attaches another key meanwhile has sealed what belongs to that one.
asio::awaitable<Result<std::size_t>> OwnKeys::reseal_credentials() {
  SP_CO_TRY(const auto newest, co_await parts_.keys.global());
  std::vector<std::pair<OrgId, Shared>> older;
  for (const auto& [org, one] : attached_) {
    if (one->row.credentials.empty()) continue;
    const auto version = global_version_of(one->row.credentials);
    if (version && *version < newest.version) older.emplace_back(org, one);
  }
  std::size_t resealed = 0;
  for (const auto& [org, one] : older) {
    const auto before = one->row;
    const auto credentials = co_await credentials_of(org, before);
    if (!credentials && credentials.error().code == Errc::invalid) {
      if (!std::exchange(one->told_damaged, true))
        parts_.log.error("organisation_key.not_resealed",
                         {{"org", org.value}, {"reason", credentials.error().message}});
      continue;
    }
    if (!credentials) co_return std::unexpected(credentials.error());
    SP_CO_TRY(auto sealed, seal_credentials(newest, credentials_purpose(org, before), *credentials));
    const auto put = co_await parts_.store.reseal_credentials(org, before.credentials, sealed);
    if (!put && put.error().code == Errc::conflict) continue;
    SP_CO_CHECK(put);
    one->row.credentials = std::move(sealed);
    ++resealed;
  }
  co_return resealed;
}

// The attachment's key is the fresh one: what comes back now is what will have to come back.
asio::awaitable<Result<OwnKeys::Proven>> OwnKeys::prove(OrgId org, std::uint32_t version, Provider& provider) {
  const auto purpose = attachment_name(org, version);
  Secret fresh = crypto::new_aead_key();
  Proven proven;
  SP_CO_TRY(proven.wrapped, co_await provider.wrap(purpose, fresh.duplicate()));
  const auto asked = parts_.clock.steady();
  SP_CO_TRY(const auto back, co_await provider.unwrap(purpose, proven.wrapped));
  if (back.reveal() != fresh.reveal()) co_return fail(Errc::invalid, "it does not give back what it was given");
  SP_CO_TRY(proven.key, held(back, version, asked));
  co_return proven;
}

// Asked now, whatever is in memory. Credentials end: then the same key may be there for others, which come with it.
asio::awaitable<Result<std::optional<HeldKey>>> OwnKeys::present(const OrgId& org,
                                                                 std::shared_ptr<Provider> otherwise) {
  const auto found = attached_.find(org);
  if (found == attached_.end()) co_return std::nullopt;
  const auto one = found->second;
  while (!one->idle.is_set()) co_await one->idle.wait();
  const Asking asking(one->idle);
  const auto asked = parts_.clock.steady();
  auto key = co_await unwrapped(org, one);
  if (!key && otherwise) {
    auto opened = co_await unwrapped_by(std::move(otherwise), org, one);
    if (opened) co_return *std::move(opened);
  }
  co_await learn(org, one, key, asked);
  if (!key) {
    co_return fail(Errc::unavailable, "the key that is attached must be there for this, and cannot be used: " +
                                          key.error().message + "; nothing was changed");
  }
  co_return *std::move(key);
}

asio::awaitable<Result<void>> OwnKeys::attach(OrgId org, OwnKeyOrder order, Before before) {
  const Changing changing(changing_, org);
  if (!changing.began()) co_return is_being_changed();
  co_return co_await attach_in_turn(org, std::move(order), std::move(before));
}

asio::awaitable<Result<void>> OwnKeys::attach_in_turn(OrgId org, OwnKeyOrder order, Before before) {
  auto made = parts_.places.provider(org, order);
  if (!made) co_return fail(Errc::invalid, made.error().message + "; nothing was changed");
  const auto provider = measured(*std::move(made));
  SP_CO_TRY(const auto last, co_await last_version(org));
  auto proven = co_await prove(org, last + 1, *provider);
  if (!proven)
    co_return fail(Errc::invalid, "the key cannot be used: " + proven.error().message + "; nothing was changed");
  SP_CO_TRY(auto from, co_await present(org, provider));
  store::OwnKey row{.version = last + 1,
                    .kind = order.kind,
                    .place = to_json(Value(order.place)),
                    .credentials = {},
                    .wrapped = std::move(proven->wrapped),
                    .attached_at = parts_.clock.wall()};
  if (!order.credentials.empty()) {
    SP_CO_TRY(const auto global, co_await parts_.keys.global());
    SP_CO_TRY(row.credentials, seal_credentials(global, credentials_purpose(org, row), order.credentials));
  }
  auto fresh = std::make_shared<Attachment>(executor_, row);
  fresh->provider = provider;
  fresh->due = parts_.clock.steady() + parts_.keys.life() / 2;
  SP_CO_CHECK(co_await parts_.keys.global());  // nothing is said to be done that cannot be without it
  if (before) SP_CO_CHECK(co_await before());
  parts_.keys.attachments().hold(org, proven->key);  // whoever reads what is changed finds it
  const Hierarchy::Attached to{proven->key, std::move(row)};
  auto changed = co_await change(org, last + 1, [&] { return parts_.keys.change_attachment(org, from, to); });
  if (!changed) {
    parts_.keys.attachments().forget(org, last + 1);
    co_return changed;
  }
  const auto refused_since = refused_since_of(org);
  drop(org);
  if (left_.contains(org)) {
    parts_.keys.attachments().forget(org, last + 1);
    co_return fail(Errc::not_found, "the organisation is erased");
  }
  enter(org, fresh);
  co_await witness(org, fresh);
  if (refused_since) {
    fresh->row.refused_since = refused_since;
    refused_now_.add(1);
    co_await note(std::move(org), std::move(fresh), Came::restored, {});
  }
  co_return Result<void>();
}

asio::awaitable<Result<void>> OwnKeys::detach(OrgId org, Detach how, Before before) {
  const Changing changing(changing_, org);
  if (!changing.began()) co_return is_being_changed();
  co_return co_await detach_in_turn(org, how, std::move(before));
}

// A write may be told to have failed and stand all the same. Once it is begun nobody calls it off: what keys.db and the
// memory say of the organisation's key changes together.
asio::awaitable<Result<void>> OwnKeys::change(OrgId org, std::uint32_t wanted, Write write) {
  constexpr int kTries = 3;  // a new version may come in between
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  Result<void> done;
  for (int tries = 0; tries < kTries; ++tries) {
    done = co_await write();
    if (done) co_return done;
    const auto stands = co_await parts_.store.own_key(org);
    if (stands && (*stands ? (*stands)->version : 0) == wanted) {
      co_await parts_.keys.settle_change(org);
      co_return Result<void>();
    }
    if (done.error().code != Errc::conflict) break;
  }
  co_return done;
}

std::optional<WallTime> OwnKeys::refused_since_of(const OrgId& org) const {
  if (const auto missing = missing_.find(org); missing != missing_.end()) return missing->second.missing_since;
  const auto found = attached_.find(org);
  return found == attached_.end() ? std::nullopt : found->second->row.refused_since;
}

void OwnKeys::leave(const OrgId& org) {
  left_.insert(org);
  drop(org);
}

void OwnKeys::enter(const OrgId& org, Shared one) {
  attached_.insert_or_assign(org, std::move(one));
  count();
}

void OwnKeys::drop(const OrgId& org) {
  if (missing_.erase(org) > 0) refused_now_.add(-1);
  const auto found = attached_.find(org);
  if (found != attached_.end()) {
    if (found->second->row.refused_since) refused_now_.add(-1);
    parts_.keys.attachments().forget(org, found->second->row.version);
    attached_.erase(found);
  }
  count();
}

void OwnKeys::count() {
  const auto alone = std::ranges::count_if(missing_, [&](const auto& one) { return !attached_.contains(one.first); });
  attached_now_.set(static_cast<std::int64_t>(attached_.size()) + alone);
}

std::optional<OwnKeyFacts> OwnKeys::facts(const OrgId& org) const {
  if (const auto missing = missing_.find(org); missing != missing_.end()) {
    const auto& [version, kind, attached_at, since] = missing->second;
    return OwnKeyFacts{version, kind, {}, attached_at, since, std::string(kMissing)};
  }
  const auto found = attached_.find(org);
  if (found == attached_.end()) return std::nullopt;
  const auto& row = found->second->row;
  const auto place = parse_json(row.place);
  return OwnKeyFacts{row.version,     row.kind,          place ? place->as_map() : ValueMap(),
                     row.attached_at, row.refused_since, row.reason};
}

bool OwnKeys::usable(const OrgId& org) const {
  if (missing_.contains(org)) return false;
  const auto found = attached_.find(org);
  return found == attached_.end() ||
         parts_.keys.attachments().find(org, found->second->row.version, parts_.clock.steady()).has_value();
}

}  // namespace sallyport::keys
