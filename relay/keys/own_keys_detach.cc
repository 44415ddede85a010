#include "relay/keys/own_keys.h"

#include <utility>

// How an organisation goes on without a key of its own.
namespace sallyport::keys {

namespace asio = boost::asio;

bool OwnKeys::is_gone(const Attachment& one) const {
  const auto& since = one.row.refused_since;
  return one.by_keeper || (since && parts_.clock.wall() - *since >= kGoneAfter);
}

// Empty: none stands in keys.db.
asio::awaitable<Result<OwnKeys::Write>> OwnKeys::way_out(OrgId org, Detach how) {
  const auto found = attached_.find(org);
  const auto stands = found == attached_.end() ? nullptr : found->second;
  if (stands == nullptr && !missing_.contains(org))
    co_return fail(Errc::not_found, "the organisation has attached no key");
  auto from = co_await present(org);
  if (from && how == Detach::without_it) {
    co_return fail(Errc::conflict, stands == nullptr
                                       ? "nothing is under a key that keys.db does not have, so nothing has to be "
                                         "given up: detach without that; nothing was changed"
                                       : "the key that is attached can be used: nothing has to be given up, detach "
                                         "without that; nothing was changed");
  }
  if (from && !*from) co_return Write();
  if (from) co_return [this, org, from = *from] { return parts_.keys.change_attachment(org, from, std::nullopt); };
  if (how == Detach::with_its_key) co_return std::unexpected(std::move(from).error());
  if (!is_gone(*stands)) {
    co_return fail(Errc::conflict,
                   "the key that is attached is only out of reach: what is under it can be given up "
                   "when who keeps it refuses it, or when it was away for an hour; nothing was changed");
  }
  const auto version = stands->row.version;
  co_return [this, org, version] { return parts_.keys.give_up_attachment(org, version); };
}

asio::awaitable<Result<void>> OwnKeys::detach_in_turn(OrgId org, Detach how, Before before) {
  SP_CO_TRY(auto leave, co_await way_out(org, how));
  SP_CO_CHECK(co_await parts_.keys.global());
  if (before) SP_CO_CHECK(co_await before());
  SP_CO_CHECK(co_await take_away(org, std::move(leave)));
  const bool was_refused = refused_since_of(org).has_value();
  drop(org);
  if (was_refused) co_await tell(std::move(org), Came::restored, {});
  co_return Result<void>();
}

// Cut short anywhere, it is refused or readable as it was before. A key that stands: the witness goes first; were it
// last, a crash before it would leave an organisation refused that has detached its key. One that is missing: an older
// one may stand, which must never serve again; so the witness goes last.
asio::awaitable<Result<void>> OwnKeys::take_away(OrgId org, Write leave) {
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  if (missing_.contains(org)) {
    if (leave) SP_CO_CHECK(co_await change(org, 0, std::move(leave)));
    SP_CO_CHECK(co_await witness_none(org));
    parts_.keys.forget(org);
    co_return Result<void>();
  }
  SP_CO_CHECK(co_await witness_none(org));
  auto changed = co_await change(org, 0, std::move(leave));
  if (changed) co_return changed;
  const auto stands = attached_.find(org);
  if (stands != attached_.end()) {
    const auto one = stands->second;
    one->witnessed = false;
    co_await witness(org, one);
  }
  co_return changed;
}

}  // namespace sallyport::keys
