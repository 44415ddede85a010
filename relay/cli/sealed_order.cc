#include "relay/cli/sealed_order.h"

#include "relay/cli/requests.h"
#include "shared/sealing/system_key.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::cli {
namespace {

std::unexpected<Error> dishonest(std::string_view agent, std::string_view why) {
  return fail(Errc::unauthenticated,
              fmt::format("what the relay shows as the sealing key of agent {} is not that agent's: {}; nothing was "
                          "sealed or set",
                          agent, why));
}

// The word that would be good if it had not ended: of an agent that was away for long.
bool has_only_ended(const sealing::Statement& statement, const crypto::Certificate& root, WallTime now) {
  const auto end = statement.chain.leaf.not_after();
  return end <= now && sealing::verify_statement(statement, root, end - std::chrono::seconds(1)).has_value();
}

Result<void> check_recipient(const sealing::Recipient& recipient, const Trusted& trusted, const AgentId& agent) {
  if (recipient.agent.org != trusted.org) return dishonest(agent.value, "it is of another organisation");
  if (recipient.agent.agent != agent) return dishonest(agent.value, "it is another agent's");
  const auto fingerprint = sealing::fingerprint_of(recipient.key.point());
  if (trusted.fingerprints.empty() ||
      std::ranges::find(trusted.fingerprints, fingerprint) != trusted.fingerprints.end())
    return {};
  return dishonest(agent.value, fmt::format("its fingerprint {} is none of those given by --agent-key", fingerprint));
}

}  // namespace

Result<SealedOrder> seal_to_agents(const ValueList& listed, const Trusted& trusted, const KeyToSeal& key,
                                   const sealing::Credentials& credentials, WallTime now) {
  SealedOrder order;
  for (const auto& one : listed) {
    const AgentId agent(text_of(one, "agent"));
    const auto name = text_of(one, "name");
    const auto said = text_of(one, "statement");
    if (said.empty()) {
      order.left_out.push_back(
          {name, "has no sealing key yet: it has to link once, and be of this version or a later one"});
      continue;
    }
    const auto bytes = from_base64url(said);
    const auto statement = bytes ? sealing::parse_statement(*bytes) : fail(Errc::invalid, "no base64url");
    if (!statement) return dishonest(agent.value, statement.error().message);
    const auto recipient = sealing::verify_statement(*statement, trusted.root, now);
    if (!recipient && has_only_ended(*statement, trusted.root, now)) {
      order.left_out.push_back({name, "its certificate has ended: it was away for long"});
      continue;
    }
    if (!recipient) return dishonest(agent.value, recipient.error().message);
    SP_CHECK(check_recipient(*recipient, trusted, agent));
    const sealing::SealedFor binding{.org = trusted.org,
                                     .group = key.group,
                                     .name = key.name,
                                     .version = key.version,
                                     .agent = agent,
                                     .generation = recipient->generation};
    SP_TRY(const auto sealed, sealing::seal_credentials(recipient->key, binding, credentials));
    const bool first = order.sealed
                           .emplace(Value(agent.value),
                                    Value(ValueMap{{Value("generation"), Value(std::int64_t{recipient->generation})},
                                                   {Value("sealed"), Value(base64url(sealed))}}))
                           .second;
    if (!first) return dishonest(agent.value, "it is listed twice");
    order.to.push_back({agent.value, name, sealing::fingerprint_of(recipient->key.point())});
  }
  return order;
}

}  // namespace sallyport::cli
