#include "relay/keys/hierarchy.h"
#include "relay/keys/key_names.h"
#include "relay/keys/key_wrap.h"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <set>

// How the anchor turns.
namespace sallyport::keys {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kRatchetsAtOnce = 128;  // sealed anew before others have a turn
constexpr int kTries = 8;
// So long a lane without keys is known: receipts tell what was destroyed of it, and archives what is to be removed.
constexpr store::Hour kRemembered = 366 * 24;

// Whoever needs a ratchet waits meanwhile.
class Turning {
 public:
  explicit Turning(Event& anchor_rests) : anchor_rests_(anchor_rests) { anchor_rests_.clear(); }
  ~Turning() { anchor_rests_.set(); }
  Turning(const Turning&) = delete;
  Turning& operator=(const Turning&) = delete;

 private:
  Event& anchor_rests_;
};

}  // namespace

asio::awaitable<Result<std::size_t>> Hierarchy::shred(std::vector<Shred> shreds) {
  const auto hours = co_await turn_until_done({.shreds = shreds});
  forget(shreds);
  co_return hours;
}

asio::awaitable<Result<store::ErasedKeys>> Hierarchy::erase(OrgId org) {
  SP_CO_TRY(auto erased, co_await parts_.store.erased(org));
  if (!erased) {
    SP_CO_CHECK(co_await turn_until_done({.erased = org}));
    SP_CO_TRY(erased, co_await parts_.store.erased(org));
  }
  forget(org);
  SP_CO_CHECK(forget_old_anchor());  // when the turn could not, an old copy of keys.db still opens
  if (!erased) co_return fail(Errc::internal, "keys.db does not say that the organisation is erased");
  co_return *erased;
}

// One turn at a time: who comes meanwhile waits for it.
asio::awaitable<Result<std::size_t>> Hierarchy::turn_until_done(Reason why) {
  while (!anchor_rests_.is_set()) {
    co_await anchor_rests_.wait();
    const auto cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none) co_return fail(Errc::cancelled, "no longer needed");
  }
  const Turning turning(anchor_rests_);
  Result<std::size_t> hours = fail(Errc::conflict, "lanes came in all the time");
  for (int tries = 0; tries < kTries && !hours && hours.error().code == Errc::conflict; ++tries) {
    hours = co_await turn(why);
  }
  co_return hours;
}

asio::awaitable<Result<std::size_t>> Hierarchy::turn(Reason why) {
  SP_CO_TRY(const auto stands, co_await parts_.store.epoch());
  if (stands != parts_.anchor.epoch()) {  // then the other slot holds the key that counts: it must not be overwritten
    co_return fail(Errc::internal, "keys.db has turned further than this relay knows: restart it");
  }
  SP_CO_TRY(LockedKey next, parts_.anchor.prepare());
  SP_CO_TRY(auto turn, co_await next_turn(next, std::move(why)));
  const auto to = turn.to;
  auto turned = co_await parts_.store.turn(std::move(turn));
  if (!turned) {
    const auto epoch = co_await parts_.store.epoch();  // a write may be told to have failed and stand all the same
    if (epoch.value_or(to - 1) != to) co_return turned;
  }
  if (parts_.before_forgetting) co_await parts_.before_forgetting();
  SP_CO_CHECK(parts_.anchor.settle(std::move(next)));
  co_return turned.value_or(0);
}

Result<void> Hierarchy::forget_old_anchor() {
  if (!anchor_rests_.is_set()) return {};
  return parts_.anchor.forget_old();
}

asio::awaitable<Result<void>> Hierarchy::settled() {
  co_await anchor_rests_.wait();
  co_return forget_old_anchor();
}

asio::awaitable<Result<store::Turn>> Hierarchy::next_turn(const LockedKey& next, Reason why) {
  store::Turn turn{
      .from = parts_.anchor.epoch(), .to = parts_.anchor.epoch() + 1, .ratchets = {}, .erased = why.erased};
  SP_CO_TRY(const auto lanes, co_await parts_.store.lanes());
  for (const auto& lane : lanes) {
    const bool is_long_over = !lane.oldest && lane.position < store::hour_of(earliest()) - kRemembered;
    if (is_long_over && lane.org != why.erased) turn.ended.push_back({lane.org, lane.lane});
  }
  const std::set<store::LaneId> ended(turn.ended.begin(), turn.ended.end());
  SP_CO_TRY(turn.ratchets, co_await parts_.store.ratchets());
  std::erase_if(turn.ratchets, [&](const auto& ratchet) {
    return ratchet.org == why.erased || ended.contains({ratchet.org, ratchet.lane});
  });
  std::map<store::LaneId, store::Hour> before;
  for (const auto& one : why.shreds) before[{one.org, one.lane}] = one.before;
  std::size_t done = 0;
  for (auto& ratchet : turn.ratchets) {
    if (++done % kRatchetsAtOnce == 0) co_await asio::post(executor_, asio::use_awaitable);
    SP_CO_TRY(auto key, unwrap_key(parts_.memory, {parts_.anchor.key().bytes()},
                                   ratchet_name(ratchet.org, ratchet.lane, ratchet.position), ratchet.sealed));
    if (const auto to = before.find({ratchet.org, ratchet.lane}); to != before.end() && to->second > ratchet.position) {
      SP_CO_TRY(key, co_await advance(std::move(key), to->second - ratchet.position));
      ratchet.position = to->second;
    }
    SP_CO_TRY(ratchet.sealed,
              wrap_key(parts_.memory, {next.bytes()}, ratchet_name(ratchet.org, ratchet.lane, ratchet.position), key));
  }
  co_return turn;
}

void Hierarchy::forget(const std::vector<Shred>& shreds) {
  std::set<std::string, std::less<>> prefixes;
  for (const auto& one : shreds) {
    prefixes.insert(hour_prefix(one.org, one.lane));
    prefixes.insert(job_prefix(one.org));
  }
  cache_.forget_if([&](std::string_view name) { return prefixes.contains(prefix_of(name)); });
}

}  // namespace sallyport::keys
