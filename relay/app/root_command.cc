#include "relay/app/root_command.h"

#include "relay/app/data_lock.h"
#include "relay/app/data_owner.h"
#include "relay/identity/root_rotation.h"
#include "relay/store/sqlite/root_census.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace sallyport::app {
namespace {

constexpr std::size_t kNamed = 10;

// Keeps the data directory from being taken while files change, unless a relay runs on it already.
class Beside {
 public:
  static Result<Beside> take(const DataDirectory& data) {
    auto lock = DataLock::take(data);
    if (lock) return Beside(*std::move(lock), std::nullopt);
    if (lock.error().code != Errc::conflict) return std::unexpected(std::move(lock).error());
    return Beside(std::nullopt, DataLock::holder(data));
  }

  // What becomes of the change.
  std::string tell() const {
    if (lock_) return "No relay runs here; the next one takes it into use as it starts.\n";
    if (!relay_ || relay_->reload != Reload::offered)
      return "What runs here does not say that it understands SIGHUP, so it was not told: if it is a relay, restart "
             "it.\n";
    if (hang_up(relay_->holder)) return fmt::format("The relay (process {}) was told.\n", relay_->holder.number);
    return "The relay that runs here could not be told: send it SIGHUP, or restart it.\n";
  }

 private:
  Beside(std::optional<DataLock> lock, std::optional<LockNote> relay)
      : lock_(std::move(lock)), relay_(std::move(relay)) {}
  std::optional<DataLock> lock_;
  std::optional<LockNote> relay_;
};

struct Left {
  store::RootCensus census;
  std::size_t issuers = 0;  // that are not of the present root
};

Result<Left> count_left(const DataDirectory& data, const crypto::Certificate& root, const Clock& clock) {
  const auto pin = root.key_pin();
  SP_TRY(auto census, store::count_other_roots(data.database(), Bytes(pin.begin(), pin.end()), clock.wall(), kNamed));
  Left left{std::move(census), 0};
  for (const auto& issuer : left.census.issuers) {
    const auto certificate = crypto::Certificate::from_der(issuer.certificate_der);
    if (!certificate || !certificate->signed_by(root)) ++left.issuers;
  }
  return left;
}

std::string named(const store::RootCensus& census) {
  std::string text;
  for (const auto& agent : census.named)
    text += fmt::format("  {} \"{}\" of {}\n", agent.id.value, agent.name, agent.org.value);
  const auto more = census.agents - static_cast<std::int64_t>(census.named.size());
  return more > 0 ? text + fmt::format("  and {} more\n", more) : text;
}

std::string line_of(std::string_view what, const crypto::Certificate& root) {
  return fmt::format("{:<9}\"{}\", until {}\n         pin {}\n", what, root.common_name(), rfc3339(root.not_after()),
                     hex(root.key_pin()));
}

std::string_view next_step(const identity::Deployment& deployment) {
  if (deployment.predecessor) return "next: wait until no agent is left of the old root, then root retire";
  if (deployment.standby) return "next: root switch";
  return "next: nothing; root prepare begins a rotation";
}

Result<std::string> show(const DataDirectory& data, const identity::Deployment& deployment, const Clock& clock) {
  auto text = line_of("present", deployment.root);
  if (!deployment.root_key) text += "         its key is offline\n";
  if (deployment.standby) text += line_of("prepared", *deployment.standby);
  if (deployment.predecessor) {
    text += line_of("old", deployment.predecessor->root);
    SP_TRY(const auto left, count_left(data, deployment.root, clock));
    text += fmt::format("{} active agents and {} issuing CAs are not of the present root\n", left.census.agents,
                        left.issuers);
    text += named(left.census);
  }
  return text + fmt::format("{}\n", next_step(deployment));
}

Result<std::string> prepare(const DataDirectory& data, const Clock& clock) {
  identity::FileChanges changes;
  SP_TRY(const auto beside, Beside::take(data));
  SP_TRY(const auto root, identity::prepare_root(data.deployment(), clock, changes));
  return line_of("prepared", root) + beside.tell() +
         fmt::format("Back {} up now: it holds the new key.\nnext: root switch\n", data.deployment().string());
}

Result<std::string> switch_over(const DataDirectory& data, const Clock& clock) {
  identity::FileChanges changes;
  SP_TRY(const auto beside, Beside::take(data));
  SP_CHECK(identity::switch_root(data.deployment(), clock, changes));
  SP_TRY(const auto deployment, identity::load_deployment(data.deployment()));
  const auto path = [&](std::string_view file) { return (data.deployment() / file).string(); };
  return line_of("present", deployment.root) + beside.tell() +
         fmt::format(
             "Linked agents follow within seconds, the others when they link; those that stay away until their\n"
             "certificates end must be enrolled again. Clients that were given the old root.pem need the new one,\n"
             "{}, before the old root is retired.\n"
             "{} signs nothing any more: take it off this machine.\n"
             "next: root show, until no agent is left of the old root; then root retire\n",
             path("root.pem"), path("old-root.key"));
}

// An issuing CA of a retired root signs nothing that anybody trusts: no force makes up for that.
Result<void> expect_none_left(const RootOrder& order, const crypto::Certificate& root, const Clock& clock) {
  SP_TRY(const auto left, count_left(order.data, root, clock));
  if (left.issuers > 0) {
    return fail(Errc::conflict,
                fmt::format("{} organisations' issuing CAs are of the old root still: they are renewed while the relay "
                            "runs and root.key is there; look into its log; --force gives up agents only",
                            left.issuers));
  }
  if (left.census.agents == 0 || order.retirement == Retirement::forced) return {};
  return fail(
      Errc::conflict,
      fmt::format("{} active agents are of the old root still, and would have to be enrolled again:\n{}wait for "
                  "them, revoke them, or retire the root in spite of them with --force",
                  left.census.agents, named(left.census)));
}

Result<std::string> retire(const RootOrder& order, const Clock& clock) {
  identity::FileChanges changes;
  SP_TRY(const auto beside, Beside::take(order.data));
  SP_TRY(const auto deployment, identity::load_deployment(order.data.deployment()));
  if (deployment.predecessor) SP_CHECK(expect_none_left(order, deployment.root, clock));
  SP_CHECK(identity::retire_root(order.data.deployment(), changes));
  return line_of("present", deployment.root) + beside.tell() +
         "The old root is retired. Destroy every copy of old-root.key: agents that never followed still trust it.\n";
}

}  // namespace

Result<std::string> change_root(const RootOrder& order, const Clock& clock) {
  SP_CHECK(expect_relay(order.data));
  if (order.step != RootStep::show) SP_CHECK(check_owner(order.data));
  switch (order.step) {
    case RootStep::prepare: return prepare(order.data, clock);
    case RootStep::switch_over: return switch_over(order.data, clock);
    case RootStep::retire: return retire(order, clock);
    case RootStep::show: break;
  }
  SP_TRY(const auto deployment, identity::load_deployment(order.data.deployment()));
  return show(order.data, deployment, clock);
}

}  // namespace sallyport::app
