#include "agent/connectors/amqp/amqp_actions.h"
#include "agent/connectors/amqp/publisher.h"
#include "agent/connectors/arguments.h"
#include "agent/connectors/message.h"
#include "agent/connectors/session_pool.h"
#include "agent/connectors/translate.h"
#include "shared/crypto/digest.h"

#include <algorithm>
#include <map>

namespace sallyport::connectors::amqp {
namespace {

using Pool = SessionPool<Publisher>;
using Pools = std::map<std::string, std::unique_ptr<Pool>, std::less<>>;

Pools make_pools(const Site& site) {
  Pools pools;
  for (const auto& [name, connection] : site.connections) {
    const auto* settings = connection.amqp();
    if (settings == nullptr) continue;
    const auto* vault = &site.vault;
    Pool::Source source{
        .open = [settings, vault](const CallLimits& limits) { return Publisher::open(*settings, *vault, limits); },
        .credentials = [settings, vault] { return vault->version_of(settings->password); }};
    pools.emplace(name, std::make_unique<Pool>(name, std::move(source), settings->pool, site.log));
  }
  return pools;
}

// The same for every run of a step: by it receivers know that they have the message already.
std::string message_id(std::string_view key) {
  const auto digest = crypto::sha256(as_bytes(key));
  return hex(std::span(digest).first(16));
}

StepResult<Message> read_message(const StepContext& context, const Arguments& arguments, std::uint64_t limit) {
  Message message;
  message.exchange = arguments.text_or("exchange", "");
  message.routing_key = arguments.text_or("routing_key", "");
  message.content_type = arguments.text_or("content_type", arguments.find("json") != nullptr ? "application/json" : "");
  message.correlation_id = arguments.text_or("correlation_id", "");
  message.reply_to = arguments.text_or("reply_to", "");
  message.message_id = arguments.text_or("message_id", message_id(context.idempotency_key));
  if (const auto* headers = arguments.find("headers")) message.headers = headers->as_map();
  if (!arguments.is_true("persistent")) message.keeping = Message::Keeping::memory;
  if (!arguments.is_true("mandatory")) message.unrouted = Message::Unrouted::dropped;
  SP_TRY(message.body, message_body(arguments, context.bodies, limit));
  return message;
}

class Publish final : public Action {
 public:
  explicit Publish(Site site) : site_(site), pools_(make_pools(site)) {}
  std::string_view name() const override { return "amqp.publish@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_CHECK(check_allowed(site_, context, name()));
    SP_TRY(const auto* connection, find_connection(site_, context.connection, "amqp"));
    SP_TRY(const auto* rule, to_step(site_.policy.find_amqp(context.connection)));
    SP_CHECK(to_step(rule->check_publish(arguments.text_or("exchange", ""), arguments.text_or("routing_key", ""))));
    const auto limit = std::min(connection->amqp()->max_message, site_.policy.limits(context.connection).bytes);
    SP_TRY(const auto message, read_message(context, arguments, limit));
    const CallLimits limits{context.deadline, context.stop};
    SP_TRY(const auto publisher, pools_.find(context.connection)->second->acquire(limits));
    const auto published = publisher->publish(message, limits);
    if (!published) return std::unexpected(published.error());
    return Output{Value(ValueMap{{"message_id", message.message_id},
                                 {"bytes", Value(static_cast<std::int64_t>(message.body.size()))}})};
  }

 private:
  Site site_;
  Pools pools_;
};

}  // namespace

std::vector<std::unique_ptr<Action>> make_actions(Site site) {
  std::vector<std::unique_ptr<Action>> actions;
  actions.push_back(std::make_unique<Publish>(site));
  return actions;
}

}  // namespace sallyport::connectors::amqp
