#pragma once

#include "relay/identity/root_rotation.h"
#include "relay/identity/upkeep.h"
#include "relay/store/sqlite/root_census.h"
#include "tests/link/relay/gateway_rig.h"

namespace sallyport::test {

// A relay whose operator changes its root, as its own upkeep sees it.
struct RotatingRig : GatewayRig {
  explicit RotatingRig(boost::asio::any_io_executor on, gateway::GatewayLimits limits = {})
      : GatewayRig(std::move(on), limits) {}

  awaitable<void> prepare_and_switch() {
    must(identity::prepare_root(directory(), world.clock, changes));
    co_await upkeep.check();
    must(identity::switch_root(directory(), world.clock, changes));
    co_await upkeep.check();
  }
  // The issuing CAs stay with the old root until put_root_key_back().
  awaitable<void> prepare_and_switch_with_root_key_offline() {
    must(identity::prepare_root(directory(), world.clock, changes));
    co_await upkeep.check();
    must(identity::switch_root(directory(), world.clock, changes));
    std::filesystem::rename(directory() / "root.key", away());
    co_await upkeep.check();
  }
  awaitable<void> put_root_key_back() {
    std::filesystem::rename(away(), directory() / "root.key");
    co_await upkeep.check();
  }
  awaitable<void> retire() {
    must(identity::retire_root(directory(), changes));
    co_await upkeep.check();
  }
  Result<void> serve_anew(const identity::Deployment& now) {
    SP_TRY(auto context,
           tls::make_server_context(
               {now.server.certificate, now.server.key, now.root, now.trust_domain, now.predecessor}, world.clock));
    gateway.use(std::move(context));
    return {};
  }
  std::int64_t of_old_root() const {
    const auto pin = world.deployment.root.key_pin();
    const auto counted =
        store::count_other_roots(world.database(), Bytes(pin.begin(), pin.end()), world.clock.wall(), 5);
    return counted ? counted->agents : -1;
  }
  bool is_trusted_by(const agent::IdentityStore& identities) const {
    const auto identity = identities.load();
    return identity && identity->root == world.deployment.root;
  }
  std::filesystem::path directory() const { return world.folder.path() / "ca"; }
  std::filesystem::path away() const { return world.folder.path() / "stick"; }

  identity::FileChanges changes;
  identity::Upkeep upkeep{
      world.deployment,
      {directory(), world.stores.issuing_cas, world.authority, world.audit, log, world.metrics, world.clock,
       [this](const identity::Deployment& now) { return serve_anew(now); }, [this] { gateway.lead_agents_to_root(); }}};
};

}  // namespace sallyport::test
