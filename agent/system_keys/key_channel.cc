#include "agent/system_keys/key_channel.h"

#include "proto/sallyport/v1/system_keys.pb.h"
#include "shared/async/blocking.h"
#include "shared/async/timeout.h"
#include "shared/link/message_bytes.h"
#include "shared/sealing/limits.h"

#include <iterator>

namespace sallyport::agent {
namespace asio = boost::asio;
namespace {

constexpr std::chrono::seconds kWhole{10};

HeldKey read_key(const v1::SystemKey& key) {
  const auto sealed = as_bytes(key.sealed());
  return {key.name(), GroupId(key.group_id()), key.version(), key.generation(), Bytes(sealed.begin(), sealed.end())};
}

asio::awaitable<Result<std::vector<HeldKey>>> receive_set(const link::Channel& channel) {
  std::vector<HeldKey> keys;
  for (;;) {
    SP_CO_TRY(const auto message, co_await channel.receive_message());
    v1::SystemKeySet set;
    if (!message || !link::parse(set, *message)) co_return fail(Errc::invalid, "P16.3: no SystemKeySet");
    for (const auto& key : set.keys()) {
      if (keys.size() == sealing::kMostSystemKeys) co_return fail(Errc::invalid, "P16.3: too many system keys");
      keys.push_back(read_key(key));
    }
    if (!set.more()) co_return keys;
    if (set.keys().empty()) co_return fail(Errc::invalid, "P16.3: a list that does not go on");
  }
}

asio::awaitable<Result<void>> exchange(SystemKeys& keys, asio::thread_pool& files, const Log& log,
                                       const link::Channel& channel) {
  SP_CO_TRY(auto brought, co_await receive_set(channel));
  SP_CO_TRY(const auto facts, co_await run_blocking(files, [&] { return keys.take(std::move(brought)); }));
  SP_CO_TRY(const auto statement, keys.statement());
  v1::SystemKeysHeld held;
  held.set_statement(std::string(as_text(statement)));
  for (const auto& fact : facts) {
    auto& key = *held.add_keys();
    key.set_name(fact.name);
    key.set_version(fact.version);
    key.set_opens(fact.opens);
    if (!fact.opens) log.warn("system_key.unopenable", {{"system_key", fact.name}, {"version", fact.version}});
  }
  SP_CO_CHECK(co_await channel.send_message(held.SerializeAsString()));
  co_return channel.finish();
}

}  // namespace

asio::awaitable<void> take_system_keys(SystemKeys& keys, asio::thread_pool& files, const Log& log,
                                       link::Channel channel) {
  const auto outcome = co_await with_timeout(kWhole, exchange(keys, files, log, channel));
  if (outcome) co_return;
  log.warn("system_keys.not_taken", {{"message", outcome.error().message}});
  channel.reset(mux::ResetCode::refused, "the system keys were not taken: the agent's log says why");
}

}  // namespace sallyport::agent
