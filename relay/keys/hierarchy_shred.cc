#include "relay/keys/hierarchy.h"
#include "relay/keys/key_names.h"
#include "relay/keys/key_wrap.h"

#include <fmt/format.h>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

// How the anchor turns.
namespace sallyport::keys {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kRatchetsAtOnce = 128;  // sealed anew before others have a turn
constexpr int kTries = 8;

}  // namespace

asio::awaitable<Result<void>> Hierarchy::shred(std::vector<Shred> shreds) {
  still_.clear();
  Result<void> done = fail(Errc::conflict, "lanes came in all the time");
  for (int tries = 0; tries < kTries && !done && done.error().code == Errc::conflict; ++tries) {
    done = co_await turn(shreds);
  }
  still_.set();
  forget(shreds);
  co_return done;
}

asio::awaitable<Result<void>> Hierarchy::turn(std::vector<Shred> shreds) {
  SP_CO_TRY(const auto stands, co_await parts_.store.epoch());
  if (stands != parts_.anchor.epoch()) {  // then the other slot holds the key that counts: it must not be overwritten
    co_return fail(Errc::internal, "keys.db has turned further than this relay knows: restart it");
  }
  SP_CO_TRY(LockedKey next, parts_.anchor.prepare());
  SP_CO_TRY(auto turn, co_await next_turn(next, std::move(shreds)));
  const auto to = turn.to;
  const auto turned = co_await parts_.store.turn(std::move(turn));
  if (!turned) {
    const auto epoch = co_await parts_.store.epoch();  // a write may be told to have failed and stand all the same
    if (epoch.value_or(to - 1) != to) co_return turned;
  }
  co_return parts_.anchor.settle(std::move(next));
}

asio::awaitable<Result<store::Turn>> Hierarchy::next_turn(const LockedKey& next, std::vector<Shred> shreds) {
  store::Turn turn{.from = parts_.anchor.epoch(), .to = parts_.anchor.epoch() + 1, .ratchets = {}};
  SP_CO_TRY(turn.ratchets, co_await parts_.store.ratchets());
  std::map<std::pair<OrgId, store::RetentionLane>, store::Hour> before;
  for (const auto& one : shreds) before[{one.org, one.lane}] = one.before;
  std::size_t done = 0;
  for (auto& ratchet : turn.ratchets) {
    if (++done % kRatchetsAtOnce == 0) co_await asio::post(executor_, asio::use_awaitable);
    SP_CO_TRY(auto key, unwrap_key(parts_.memory, {parts_.anchor.key().bytes()},
                                   ratchet_name(ratchet.org, ratchet.lane, ratchet.position), ratchet.sealed));
    if (const auto to = before.find({ratchet.org, ratchet.lane}); to != before.end() && to->second > ratchet.position) {
      SP_CO_TRY(key, advance(std::move(key), to->second - ratchet.position));
      ratchet.position = to->second;
    }
    SP_CO_TRY(ratchet.sealed,
              wrap_key(parts_.memory, {next.bytes()}, ratchet_name(ratchet.org, ratchet.lane, ratchet.position), key));
  }
  co_return turn;
}

void Hierarchy::forget(const std::vector<Shred>& shreds) {
  for (const auto& one : shreds) {
    cache_.forget_prefix(hour_prefix(one.org, one.lane));
    cache_.forget_prefix(fmt::format("job/{}/", one.org.value));
  }
}

}  // namespace sallyport::keys
