#pragma once

#include "relay/authorizations/agent_lines.h"
#include "relay/authorizations/desk.h"
#include "shared/base/clock.h"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <map>
#include <memory>
#include <string>

namespace sallyport::authorizations {

struct Limits {
  std::size_t of_organisation = 8;  // that are remembered at the same time
  std::size_t all = 1'000;
  std::chrono::seconds begin{15};     // for the agent to begin one
  std::chrono::seconds person{600};   // to log in
  std::chrono::seconds exchange{45};  // for the agent to trade the code
};

// In memory; an entry holds its agent's channel open until the browser is back, and is remembered until its time is
// over. `lines` and `clock` outlive it.
class Authorizations final : public Desk {
 public:
  Authorizations(AgentLines& lines, const Clock& clock) : Authorizations(lines, clock, Limits{}) {}
  Authorizations(AgentLines& lines, const Clock& clock, Limits limits)
      : lines_(lines), clock_(clock), limits_(limits) {}

  boost::asio::awaitable<Result<Facts>> begin(Order order) override;
  Result<Facts> find(const OrgId& org, const AuthorizationId& id) override;
  boost::asio::awaitable<Result<Facts>> take(Answer answer) override;
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry;
  using Entries = std::map<AuthorizationId, std::shared_ptr<Entry>>;
  void forget_expired();
  Result<void> check_room(const OrgId& org) const;
  boost::asio::awaitable<Result<void>> ask_agent(Entry& entry);
  boost::asio::awaitable<Result<std::string>> exchange(const Entry& entry, Answer answer) const;

  AgentLines& lines_;
  const Clock& clock_;
  Limits limits_;
  Entries entries_;
  std::map<std::string, AuthorizationId, std::less<>> by_state_;
};

}  // namespace sallyport::authorizations
