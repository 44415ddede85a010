#include "relay/identity/revocations.h"

#include <utility>

namespace sallyport::identity {

using boost::asio::awaitable;

Revocations::Subscription& Revocations::Subscription::operator=(Subscription&& other) noexcept {
  std::swap(from_, other.from_);
  std::swap(at_, other.at_);
  return *this;
}

Revocations::Subscription::~Subscription() {
  if (from_ != nullptr) from_->subscribers_.erase(at_);
}

Revocations::Revocations(store::Agents& agents, store::Certificates& certificates, const Clock& clock)
    : agents_(agents), certificates_(certificates), clock_(clock), serials_(std::make_shared<const Serials>()) {}

awaitable<Result<void>> Revocations::load() {
  const auto turn = ++loads_begun_;
  SP_CO_TRY(const auto rows, co_await certificates_.revoked_serials(clock_.wall()));
  auto fresh = std::make_shared<Serials>();
  for (const auto& row : rows) fresh->insert(row.serial);
  if (turn < newest_load_) co_return Result<void>();  // a later load has ended first and knows more
  newest_load_ = turn;
  serials_.store(std::move(fresh));
  co_return Result<void>();
}

bool Revocations::is_revoked(const store::Serial& serial) const { return serials_.load()->contains(serial); }

awaitable<Result<void>> Revocations::revoke_agent(OrgId org, AgentId agent, store::AuditNote<> note) {
  SP_CO_CHECK(co_await agents_.revoke(org, agent, clock_.wall(), std::move(note)));
  co_return co_await tell_revoked(std::move(org), {std::move(agent)});
}

awaitable<Result<void>> Revocations::tell_revoked(OrgId org, std::vector<AgentId> agents) {
  const auto loaded = co_await load();
  for (const auto& agent : agents) {
    for (const auto& tell : subscribers_) tell(org, agent);
  }
  co_return loaded;
}

Revocations::Subscription Revocations::subscribe(OnRevoked callback) {
  Subscription subscription;
  subscription.at_ = subscribers_.insert(subscribers_.end(), std::move(callback));
  subscription.from_ = this;
  return subscription;
}

}  // namespace sallyport::identity
