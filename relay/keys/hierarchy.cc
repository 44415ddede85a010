#include "relay/keys/hierarchy.h"

#include "relay/keys/key_names.h"
#include "relay/keys/key_wrap.h"
#include "shared/crypto/aead.h"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace sallyport::keys {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMostFailures = 1'000;
constexpr int kMostTries = 8;                      // of making a key, while others do
constexpr int kMostGivenUp = 1'000;                // hours, one after the other
constexpr store::Hour kMostSteps = 20 * 366 * 24;  // of a ratchet: the longest retention, twice
constexpr store::Hour kStepsAtOnce = 500;          // before others have a turn

std::unexpected<Error> is_gone() {
  return fail(Errc::not_found, "the key of that hour is gone: its retention has ended, or it was given up");
}

}  // namespace

asio::awaitable<Result<void>> Hierarchy::found(store::KeyStore& store, Provider& provider, const Clock& clock) {
  store::KeyVersion first{.version = 1, .under = 0, .wrapped = {}, .created_at = clock.wall()};
  SP_CO_TRY(first.wrapped, co_await provider.wrap(global_name(first.version), crypto::new_aead_key()));
  co_return co_await store.add_global_key(std::move(first));
}

asio::awaitable<Result<HeldKey>> Hierarchy::held(std::string name, Fetch fetch) {
  for (;;) {
    if (auto key = cache_.find(name, now())) co_return *std::move(key);
    if (const auto failed = failures_.find(name); failed != failures_.end() && failed->second.until > now()) {
      co_return std::unexpected(failed->second.error);
    }
    const auto flying = flights_.find(name);
    if (flying == flights_.end()) break;
    const auto flight = flying->second;
    co_await flight->done.wait();
    if (flight->outcome) co_return *flight->outcome;
    const auto cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none) co_return fail(Errc::cancelled, "no longer needed");
  }
  const auto flight = std::make_shared<Flight>(executor_);
  flights_.emplace(name, flight);
  // Whoever waits goes on also when this one is cancelled in the middle: then one of them fetches.
  struct Landing {
    Hierarchy& keys;
    const std::string& name;
    Flight& flight;
    ~Landing() {
      keys.flights_.erase(name);
      flight.done.set();
    }
  } landing{*this, name, *flight};
  auto outcome = co_await fetch();
  if (!outcome && outcome.error().code == Errc::cancelled) co_return outcome;  // of this caller alone
  if (outcome) {
    cache_.keep(name, *outcome);
  } else if (outcome.error().code != Errc::not_found && failures_.size() < kMostFailures) {
    failures_.insert_or_assign(name, Failure{outcome.error(), now() + kFailureLife});
  }
  flight->outcome = outcome;
  co_return outcome;
}

asio::awaitable<Result<HeldKey>> Hierarchy::global(std::uint32_t version) {
  return held(global_name(version), [this, version] { return fetch_global(version); });
}

asio::awaitable<Result<HeldKey>> Hierarchy::fetch_global(std::uint32_t version) {
  SP_CO_TRY(auto known, co_await known_keys(OrgId()));
  if (version == 0 && !known.keys.empty() && known.needs_new()) {
    SP_CO_TRY(auto next, co_await make_global(known));
    known.keys.push_back(std::move(next));
  }
  SP_CO_TRY(auto chosen, known.choose(version));
  const auto until = now() + parts_.life;  // from before it was asked for
  const auto number = chosen.version;
  SP_CO_TRY(auto key, co_await unwrap_global(std::move(chosen)));
  SP_CO_CHECK(co_await witness_version(OrgId(), known.witness, number));
  co_return HeldKey{std::make_shared<const LockedKey>(std::move(key)), until, number};
}

// Whatever keeps it away may be mended: nobody may take it for a record that is not there or not good.
asio::awaitable<Result<LockedKey>> Hierarchy::unwrap_global(store::KeyVersion version) {
  auto plain = co_await parts_.provider.unwrap(global_name(version.version), std::move(version.wrapped));
  if (!plain && plain.error().code == Errc::cancelled) co_return std::unexpected(std::move(plain).error());
  if (!plain && plain.error().code == Errc::invalid) {
    co_return fail(Errc::unavailable,
                   fmt::format("the master key that relay.yaml names: {}: is it the one that belongs to keys.db? "
                               "When it was moved there, run sallyport-relay keys rewrap",
                               plain.error().message));
  }
  if (!plain) co_return fail(Errc::unavailable, std::move(plain).error().message);
  if (plain->size() != kKeySize) co_return fail(Errc::internal, "the global key has a wrong length");
  SP_CO_TRY(LockedKey key, parts_.memory.take());
  std::ranges::copy(as_bytes(plain->reveal()), key.writable().begin());
  co_return key;
}

asio::awaitable<Result<HeldKey>> Hierarchy::tenant(OrgId org, std::uint32_t version) {
  auto name = tenant_name(org, version);
  return held(std::move(name), [this, org = std::move(org), version] { return fetch_tenant(org, version); });
}

asio::awaitable<Result<HeldKey>> Hierarchy::fetch_tenant(OrgId org, std::uint32_t version) {
  SP_CO_TRY(auto known, co_await known_keys(org));
  SP_CO_CHECK(known.expect_attached());
  if (version == 0 && known.needs_new()) {
    SP_CO_TRY(auto next, co_await make_tenant(known));
    known.keys.push_back(std::move(next));
  }
  SP_CO_TRY(const auto chosen, known.choose(version));
  SP_CO_TRY(const auto above, co_await parents_of(org, chosen.under, chosen.own));
  auto key = unwrap_under(above, tenant_name(org, chosen.version), chosen.wrapped);
  if (!key) co_return in_context("the key of organisation " + org.value, std::move(key).error());
  SP_CO_CHECK(co_await witness_version(org, known.witness, chosen.version));
  const auto until = above.attachment ? std::min(above.global.until, above.attachment->until) : above.global.until;
  co_return HeldKey{std::make_shared<const LockedKey>(*std::move(key)), until, chosen.version};
}

asio::awaitable<Result<store::KeyVersion>> Hierarchy::make_tenant(KnownKeys known) {
  SP_CO_CHECK(known.expect_attached());
  SP_CO_CHECK(known.expect_newest());
  const auto& org = known.org;
  SP_CO_TRY(const auto own, co_await parts_.store.own_key(org));
  SP_CO_TRY(const auto above, co_await parents_of(org, 0, own ? own->version : 0));
  SP_CO_TRY(auto made, new_version(known, above));
  SP_CO_CHECK(co_await parts_.store.add_tenant_key(org, made));
  co_return made;
}

asio::awaitable<void> Hierarchy::back_up() {
  if (parts_.after_change) co_await parts_.after_change();
}

asio::awaitable<Result<HeldKey>> Hierarchy::hour(OrgId org, store::RetentionLane lane, store::Hour hour) {
  auto name = hour_name(org, lane, hour);
  return held(std::move(name),
              [this, org = std::move(org), lane = std::move(lane), hour] { return fetch_hour(org, lane, hour); });
}

// Beyond an hour whose key was given up, which gets no other one, the next one serves.
asio::awaitable<Result<Hierarchy::HourKey>> Hierarchy::hour_for_writing(OrgId org, store::RetentionLane lane,
                                                                        store::Hour hour) {
  for (int tries = 0; tries < kMostGivenUp; ++tries) {
    auto key =
        co_await held(hour_name(org, lane, hour), [this, org, lane, hour] { return make_hour(org, lane, hour); });
    if (key) co_return HourKey{*std::move(key), hour};
    if (key.error().code != Errc::not_found) co_return std::unexpected(std::move(key).error());
    SP_CO_TRY(const auto row, co_await parts_.store.ratchet(org, lane));
    hour = std::max(hour + 1, row ? row->position : hour);
  }
  co_return fail(Errc::unavailable, "the keys of too many hours one after the other were given up");
}

asio::awaitable<Result<HeldKey>> Hierarchy::fetch_hour(OrgId org, store::RetentionLane lane, store::Hour hour) {
  SP_CO_TRY(auto wrapped, co_await parts_.store.hour_key(org, lane, hour));
  if (!wrapped) co_return is_gone();
  co_return co_await open_hour(std::move(org), std::move(lane), hour, *std::move(wrapped));
}

asio::awaitable<Result<HeldKey>> Hierarchy::open_hour(OrgId org, store::RetentionLane lane, store::Hour hour,
                                                      store::HourKey wrapped) {
  SP_CO_TRY(const HeldKey above, co_await tenant(org, wrapped.under));
  SP_CO_TRY(auto from, co_await ratchet(org, lane));
  if (!from || hour < from->position) co_return is_gone();
  SP_CO_TRY(const LockedKey at, co_await advance(std::move(from->key), hour - from->position));
  auto key = unwrap_key(parts_.memory, {above.key->bytes(), at.bytes()}, hour_name(org, lane, hour), wrapped.wrapped);
  if (!key) co_return in_context("the key of " + hour_name(org, lane, hour), std::move(key).error());
  co_return HeldKey{std::make_shared<const LockedKey>(*std::move(key)), above.until};
}

asio::awaitable<Result<HeldKey>> Hierarchy::make_hour(OrgId org, store::RetentionLane lane, store::Hour hour) {
  SP_CO_TRY(const HeldKey above, co_await tenant(org));
  for (int tries = 0; tries < kMostTries; ++tries) {
    SP_CO_TRY(auto there, co_await parts_.store.hour_key(org, lane, hour));
    if (there) co_return co_await open_hour(org, lane, hour, *std::move(there));
    SP_CO_TRY(auto from, co_await ratchet(org, lane));
    if (from && hour < from->position) co_return is_gone();
    store::NewHourKey fresh{.lane = lane, .hour = hour, .key = {.under = above.version, .wrapped = {}}};
    OpenRatchet opened;
    if (from) {
      opened = *std::move(from);
    } else {
      SP_CO_TRY(fresh.first, new_ratchet(org, lane, hour, opened));
      fresh.epoch = parts_.anchor.epoch();
    }
    SP_CO_TRY(const LockedKey at, co_await advance(std::move(opened.key), hour - opened.position));
    SP_CO_TRY(const LockedKey key, random_key(parts_.memory));
    SP_CO_TRY(fresh.key.wrapped,
              wrap_key(parts_.memory, {above.key->bytes(), at.bytes()}, hour_name(org, lane, hour), key));
    auto added = co_await parts_.store.add_hour_key(org, std::move(fresh));
    if (added) co_return co_await open_hour(org, lane, hour, *std::move(added));
    if (added.error().code != Errc::conflict) co_return std::unexpected(std::move(added).error());
  }
  co_return fail(Errc::unavailable, "the anchor of the keys turned again and again; try again");
}

// Of the anchor as it is: what was read before it turned is read again.
asio::awaitable<Result<std::optional<Hierarchy::OpenRatchet>>> Hierarchy::ratchet(OrgId org,
                                                                                  store::RetentionLane lane) {
  for (;;) {
    co_await anchor_rests_.wait();
    const auto epoch = parts_.anchor.epoch();
    SP_CO_TRY(const auto row, co_await parts_.store.ratchet(org, lane));
    if (!anchor_rests_.is_set() || parts_.anchor.epoch() != epoch) continue;
    if (!row) co_return std::nullopt;
    auto key =
        unwrap_key(parts_.memory, {parts_.anchor.key().bytes()}, ratchet_name(org, lane, row->position), row->sealed);
    if (!key) co_return in_context(ratchet_name(org, lane, row->position), std::move(key).error());
    co_return OpenRatchet{row->position, *std::move(key)};
  }
}

// A lane begins no later than it can be: were it to begin at an hour that a clock ahead of time shows, all that is
// written until then would live as long as what is written at that hour.
Result<store::Ratchet> Hierarchy::new_ratchet(const OrgId& org, const store::RetentionLane& lane, store::Hour hour,
                                              OpenRatchet& opened) {
  const auto position = std::min(hour, store::hour_of(earliest()));
  SP_TRY(LockedKey first, random_key(parts_.memory));
  SP_TRY(auto sealed, wrap_key(parts_.memory, {parts_.anchor.key().bytes()}, ratchet_name(org, lane, position), first));
  opened = OpenRatchet{position, std::move(first)};
  return store::Ratchet{org, lane, position, std::move(sealed)};
}

asio::awaitable<Result<LockedKey>> Hierarchy::advance(LockedKey from, store::Hour steps) {
  if (steps > kMostSteps) {
    co_return fail(Errc::unavailable,
                   "the clock of this host is decades away from the time when its keys were made: "
                   "set it right, then run \"sallyport-relay keys confirm-clock\"");
  }
  for (store::Hour step = 0; step < steps; ++step) {
    if (step % kStepsAtOnce == kStepsAtOnce - 1) co_await asio::post(executor_, asio::use_awaitable);
    SP_CO_TRY(from, next_key(parts_.memory, from));
  }
  co_return from;
}

void Hierarchy::sweep() {
  cache_.forget_expired(now());
  attachments_.sweep(now());
  std::erase_if(failures_, [this](const auto& failure) { return failure.second.until <= now(); });
}

}  // namespace sallyport::keys
