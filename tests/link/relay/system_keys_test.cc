// System keys from the store to an agent, and the agent's word for its sealing key back.
#include "agent/system_keys/key_channel.h"
#include "relay/keys/system_key_identity.h"
#include "shared/async/timeout.h"
#include "shared/sealing/system_key.h"
#include "tests/link/relay/gateway_rig.h"
#include "tests/support/temp_dir.h"

#include <boost/asio/this_coro.hpp>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

// An agent that keeps system keys.
struct KeepingAgent {
  KeepingAgent(GatewayRig& on, const agent::Identity& identity, char boot = 1)
      : rig(on),
        id(identity.id),
        keys(make_keys(identity)),
        link(on, identity, "none", boot, agent::Way::direct, serving()) {}
  std::unique_ptr<agent::SystemKeys> make_keys(const agent::Identity& identity) {
    must(identities.install(identity));
    return must(agent::SystemKeys::open(dir.path(), identities, rig.world.clock, log));
  }
  ServedPurpose serving() {
    return {std::string(agent::kSystemKeysCapability), std::string(agent::kSystemKeysPurpose),
            [this](link::Channel channel) { return agent::take_system_keys(*keys, files, log, std::move(channel)); }};
  }
  bool holds(std::string_view password) const {
    const auto value = keys->value("erp-db", "password");
    return value && value->reveal() == password;
  }

  GatewayRig& rig;
  crypto::SpiffeId id;
  TempDir dir;
  LinesSink lines;
  Log log{lines, rig.world.clock, LogLevel::debug};
  KeptIdentity identities;
  std::unique_ptr<agent::SystemKeys> keys;
  boost::asio::thread_pool files{1};
  RealAgent link;
};

awaitable<std::optional<sealing::Statement>> word_of(GatewayRig& rig, const crypto::SpiffeId& id, GroupId group) {
  const auto all = must(co_await rig.world.stores.system_keys.recipients(id.org, std::move(group)));
  for (const auto& one : all) {
    if (one.agent == id.agent && one.key) co_return must(sealing::parse_statement(one.key->statement));
  }
  co_return std::nullopt;
}

// Until the store has the agent's word; nothing when it never comes.
awaitable<std::optional<sealing::Statement>> wait_for_word(GatewayRig& rig, const crypto::SpiffeId& id, GroupId group) {
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (std::chrono::steady_clock::now() < deadline) {
    if (auto word = co_await word_of(rig, id, group)) co_return word;
    co_await sleep_for(5ms);
  }
  co_return std::nullopt;
}

awaitable<void> put_key(GatewayRig& rig, const sealing::Statement& word, const crypto::SpiffeId& id,
                        std::uint64_t version, std::string password) {
  const auto recipient = must(sealing::verify_statement(word, rig.world.deployment.root, rig.world.clock.wall()));
  sealing::Credentials credentials;
  credentials.emplace("password", Secret::take(std::move(password)));
  const sealing::SealedFor binding{id.org, rig.tenant.group, "erp-db", version, id.agent, recipient.generation};
  const auto sealed = must(sealing::seal_credentials(recipient.key, binding, credentials));
  auto copy = must(co_await rig.world.envelope.seal(keys::copy_identity(id.org, "erp-db", version, id.agent), sealed));
  must(co_await rig.world.stores.system_keys.put(id.org,
                                                 {.org = id.org,
                                                  .name = "erp-db",
                                                  .group = rig.tenant.group,
                                                  .version = version,
                                                  .values = {"password"},
                                                  .set_by = UserId("usr_1"),
                                                  .set_at = rig.world.clock.wall()},
                                                 {{id.agent, recipient.generation, std::move(copy)}}));
  rig.courier.visit_group(id.org, rig.tenant.group);
}

awaitable<bool> becomes(GatewayRig& rig, OrgId org, store::CopyState state) {
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (std::chrono::steady_clock::now() < deadline) {
    const auto holders = must(co_await rig.world.stores.system_keys.holders(org, "erp-db"));
    if (!holders.empty() && holders[0].state == state) co_return true;
    co_await sleep_for(5ms);
  }
  co_return false;
}

}  // namespace

ASYNC_TEST_CASE("an agent that links says its sealing key, and gets what is sealed to it", "[link][system_keys]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  KeepingAgent agent(rig, identity);
  agent.link.start();
  const auto word = co_await wait_for_word(rig, agent.id, rig.tenant.group);
  REQUIRE(word);
  const auto recipient = must(sealing::verify_statement(*word, rig.world.deployment.root, rig.world.clock.wall()));
  CHECK(recipient.agent == agent.id);

  co_await put_key(rig, *word, agent.id, 1, "s3cret-one");
  bool held = co_await becomes(rig, agent.id.org, store::CopyState::held);
  CHECK(held);
  CHECK(agent.holds("s3cret-one"));

  co_await put_key(rig, *word, agent.id, 2, "s3cret-two");  // rotated
  held = co_await rig.until([&] { return agent.holds("s3cret-two"); });
  CHECK(held);

  must(co_await rig.world.stores.system_keys.remove(agent.id.org, "erp-db"));
  rig.courier.visit_group(agent.id.org, rig.tenant.group);
  const bool gone = co_await rig.until([&] { return agent.keys->version_of("erp-db") == 0; });
  CHECK(gone);
  for (const auto& line : rig.lines.lines) CHECK(line.find("s3cret") == std::string::npos);
  co_await agent.link.finish();
  co_await rig.finish();
}

ASYNC_TEST_CASE("what was set while an agent was away is there when it links", "[link][system_keys]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  std::optional<sealing::Statement> word;
  KeepingAgent first(rig, identity);
  first.link.start();
  word = co_await wait_for_word(rig, first.id, rig.tenant.group);
  REQUIRE(word);
  co_await first.link.finish();
  co_await put_key(rig, *word, first.id, 1, "s3cret-one");

  RealAgent again(rig, identity, "none", 2, agent::Way::direct, first.serving());
  again.start();
  const bool held = co_await rig.until([&] { return first.holds("s3cret-one"); });
  CHECK(held);
  co_await again.finish();
  co_await rig.finish();
}

ASYNC_TEST_CASE("what an agent cannot open is told", "[link][system_keys]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  KeepingAgent agent(rig, identity);
  agent.link.start();
  auto word = co_await wait_for_word(rig, agent.id, rig.tenant.group);
  REQUIRE(word);
  auto elsewhere = agent.id;
  elsewhere.org = OrgId("org_elsewhere");
  const auto recipient = must(sealing::verify_statement(*word, rig.world.deployment.root, rig.world.clock.wall()));
  sealing::Credentials credentials;
  credentials.emplace("password", Secret::take("s3cret-one"));
  const sealing::SealedFor other{elsewhere.org, rig.tenant.group, "erp-db", 1, agent.id.agent, recipient.generation};
  const auto sealed = must(sealing::seal_credentials(recipient.key, other, credentials));
  auto copy =
      must(co_await rig.world.envelope.seal(keys::copy_identity(agent.id.org, "erp-db", 1, agent.id.agent), sealed));
  must(co_await rig.world.stores.system_keys.put(agent.id.org,
                                                 {.org = agent.id.org,
                                                  .name = "erp-db",
                                                  .group = rig.tenant.group,
                                                  .version = 1,
                                                  .values = {"password"},
                                                  .set_by = UserId("usr_1"),
                                                  .set_at = rig.world.clock.wall()},
                                                 {{agent.id.agent, recipient.generation, std::move(copy)}}));
  rig.courier.visit_group(agent.id.org, rig.tenant.group);
  const bool told = co_await becomes(rig, agent.id.org, store::CopyState::unopenable);
  CHECK(told);
  CHECK(agent.keys->value("erp-db", "password").error().code == Errc::invalid);
  co_await agent.link.finish();
  co_await rig.finish();
}

ASYNC_TEST_CASE("an agent of an older version is not asked, and loses nothing by it", "[link][system_keys]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  RealAgent older(rig, identity);
  older.start();
  const bool ready = co_await older.until_ready();
  REQUIRE(ready);
  CHECK_FALSE(rig.links.knows_system_keys(identity.id.org, identity.id.agent));
  rig.courier.visit_group(identity.id.org, rig.tenant.group);
  const auto word = co_await word_of(rig, identity.id, rig.tenant.group);
  CHECK_FALSE(word);
  CHECK(older.status().state == agent::LinkState::ready);
  co_await older.finish();
  co_await rig.finish();
}
