#pragma once

#include "relay/store/agents.h"
#include "relay/store/certificates.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <set>
#include <vector>

namespace sallyport::identity {

// Everything revoked that would still be valid, in memory. is_revoked() may be called from any thread; all else belongs
// to the executor the object is used on. The ports and the clock outlive it.
class Revocations {
 public:
  using OnRevoked = std::function<void(const OrgId&, const AgentId&)>;

  // Ends the subscription when it dies; must not outlive the Revocations.
  class Subscription {
   public:
    Subscription() = default;
    Subscription(Subscription&& other) noexcept { *this = std::move(other); }
    Subscription& operator=(Subscription&& other) noexcept;
    ~Subscription();

   private:
    friend class Revocations;
    Revocations* from_ = nullptr;
    std::list<OnRevoked>::iterator at_;
  };

  Revocations(store::Agents& agents, store::Certificates& certificates, const Clock& clock);

  // Fetches the whole set; before the first link is accepted, and every few seconds where other relays share the
  // database. Subscribers are not told: compare with is_revoked() afterwards.
  boost::asio::awaitable<Result<void>> load();

  bool is_revoked(const store::Serial& serial) const;

  // Revokes the agent and all its certificates, durable when it returns; then tells subscribers, so that they cut its
  // links. not_found: no such agent in this organisation.
  boost::asio::awaitable<Result<void>> revoke_agent(OrgId org, AgentId agent, store::AuditNote<> note = {});

  // The same for agents that are revoked in the store already.
  boost::asio::awaitable<Result<void>> tell_revoked(OrgId org, std::vector<AgentId> agents);

  // Called on this object's executor. A subscriber must not throw, nor subscribe or unsubscribe within the call.
  [[nodiscard]] Subscription subscribe(OnRevoked callback);

 private:
  using Serials = std::set<store::Serial>;

  store::Agents& agents_;
  store::Certificates& certificates_;
  const Clock& clock_;
  std::atomic<std::shared_ptr<const Serials>> serials_;
  std::list<OnRevoked> subscribers_;
  std::uint64_t loads_begun_ = 0;
  std::uint64_t newest_load_ = 0;
};

}  // namespace sallyport::identity
