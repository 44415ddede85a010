#include "relay/identity/enrolment.h"

#include "shared/base/text.h"
#include "shared/base/utf8.h"
#include "shared/crypto/new_id.h"

#include <fmt/format.h>

namespace sallyport::identity {

using boost::asio::awaitable;

struct Enrolments::Judged {
  OrgId org;  // whose ledger: the system's when the token is unknown
  Enrolment outcome;
};

namespace {

constexpr std::size_t kMaxHostname = 255;
constexpr std::size_t kMaxSoftware = 128;
constexpr std::chrono::minutes kQuiet{5};
constexpr std::size_t kMaxSources = 10'000;

std::unexpected<EnrolmentRefusal> refused(std::string_view code, std::string message) {
  return std::unexpected(EnrolmentRefusal{code, std::move(message)});
}

std::unexpected<EnrolmentRefusal> not_now(std::string why = {}) {
  return std::unexpected(
      EnrolmentRefusal{"unavailable", "the relay cannot enrol agents at the moment; try again later", std::move(why)});
}

keys::RecordIdentity secret_record(const OrgId& org, const EnrolmentId& token) {
  return {org, "enrolment_tokens", "secret", token.value};
}

EnrolmentRefusal refusal_for(store::EnrolmentState state) {
  switch (state) {
    case store::EnrolmentState::revoked: return {"revoked", "the enrolment token has been revoked"};
    case store::EnrolmentState::expired: return {"expired", "the enrolment token has expired"};
    case store::EnrolmentState::used_up: return {"used", "the enrolment token has been used up"};
    case store::EnrolmentState::usable: break;
  }
  return not_now().error();
}

bool is_printable(std::string_view text, std::size_t most) {
  return text.size() <= most && is_valid_utf8(text) && !steers_text(text);
}

std::string agent_name(const EnrolmentAsk& ask, const AgentId& agent) {
  return ask.hostname.empty() ? agent.value : ask.hostname;
}

// Nothing: the token is for whoever asks.
std::optional<EnrolmentRefusal> not_for(const store::EnrolmentToken& token, const EnrolmentAsk& ask) {
  if (ask.agent_id.empty() || (token.agent && token.agent->value == ask.agent_id)) return std::nullopt;
  return EnrolmentRefusal{"agent", token.agent
                                       ? "the enrolment token is for another agent"
                                       : "the enrolment token makes a new agent, and this one is there already"};
}

AuditRecord audit_record(const EnrolmentAsk& ask, AuditOutcome outcome) {
  AuditRecord record{.actor = "token:" + (crypto::is_id<EnrolmentId>(ask.token_id) ? ask.token_id : "malformed"),
                     .action = "agent.enrol",
                     .outcome = outcome};
  record.detail.emplace("from", ask.from_address);
  if (is_printable(ask.hostname, kMaxHostname)) record.detail.emplace("hostname", ask.hostname);
  return record;
}

AuditRecord enrolled_record(const EnrolmentAsk& ask, const AgentId& agent, const crypto::Certificate& certificate,
                            const std::string& group) {
  auto record = audit_record(ask, AuditOutcome::done);
  record.target = "agent:" + agent.value;
  record.detail.emplace("serial", certificate.serial());
  record.detail.emplace("group", group);
  return record;
}

struct Trust {
  crypto::Certificate root;
  std::optional<Predecessor> before;
};

// The root above a certificate just issued. After a switch, an organisation's CA may be of the old root for a moment.
Trust trust_of(const IssuedCertificate& issued, const AgentAuthority& authority) {
  const auto succession = authority.succession();
  if (!succession) return {authority.root(), std::nullopt};
  if (issued.chain.front().signed_by(succession->root)) return {succession->root, succession->before};
  return {succession->before.root, std::nullopt};
}

}  // namespace

Enrolments::Enrolments(Ports ports, PublicAddress address, const Clock& clock)
    : ports_(ports),
      address_(std::move(address)),
      clock_(clock),
      back_off_({.sources = kMaxSources}),
      told_(kMaxSources),
      failures_(ports.metrics.counter("sallyport_enrolment_failures_total", "Enrolments without a valid proof.")),
      blocked_(ports.metrics.counter("sallyport_enrolment_blocked_total",
                                     "Enrolments refused unread, because their source failed too often.")) {}

awaitable<Result<MadeToken>> Enrolments::make_token(OrgId org, TokenOrder order,
                                                    store::AuditNote<store::EnrolmentToken> note) {
  if (order.max_uses == 0 || order.max_uses > kMostTokenUses) {
    co_return fail(Errc::invalid, "an enrolment token can be used between 1 and 10000 times");
  }
  if (order.agent && order.max_uses != 1) co_return fail(Errc::invalid, "an enrolment token for an agent is used once");
  if (order.lifetime < std::chrono::minutes(1) || order.lifetime > kLongestTokenLifetime) {
    co_return fail(Errc::invalid, "an enrolment token lives between 1 minute and 7 days");
  }
  SP_CO_TRY(auto group, co_await group_of(org, order.agent, order.group));
  crypto::EnrolmentString parts;
  parts.relay_host = address_.link_host;
  parts.relay_port = address_.link_port;
  parts.api_url = address_.api_url;
  parts.root_pin = ports_.authority.root().key_pin();
  parts.token = crypto::new_id<EnrolmentId>(clock_);
  parts.secret = crypto::random_secret(crypto::kEnrolmentSecretSize);
  parts.expires = clock_.wall() + order.lifetime;
  SP_CO_TRY(auto text, crypto::format_enrolment_string(parts));
  SP_CO_TRY(auto sealed,
            co_await ports_.envelope.seal(secret_record(org, parts.token), as_bytes(parts.secret.reveal())));
  store::EnrolmentToken token{.id = parts.token,
                              .org = org,
                              .group = std::move(group),
                              .sealed_secret = std::move(sealed),
                              .max_uses = order.max_uses,
                              .created_by = order.created_by,
                              .created_at = clock_.wall(),
                              .expires_at = parts.expires,
                              .revoked_at = {},
                              .agent = std::move(order.agent)};
  SP_CO_CHECK(co_await ports_.tokens.add(org, token, store::about(token, std::move(note))));
  co_return MadeToken{std::move(token), std::move(text)};
}

awaitable<Result<GroupId>> Enrolments::group_of(OrgId org, std::optional<AgentId> agent, GroupId of_others) {
  if (!agent) co_return of_others;
  SP_CO_TRY(auto found, co_await ports_.agents.find(std::move(org), *std::move(agent)));
  co_return std::move(found.group);
}

awaitable<Enrolment> Enrolments::redeem(EnrolmentAsk ask, Bytes exporter) {
  if (const auto wait = back_off_.blocked_for(ask.source, clock_.steady())) {
    blocked_.add();
    co_return refused("unavailable",
                      fmt::format("too many failed enrolments from your address; try again in {} s", wait->count()));
  }
  auto judged = co_await judge(ask, std::move(exporter));
  if (judged.outcome) back_off_.succeeded(ask.source);
  if (!judged.outcome && note_refusal(judged.outcome.error(), ask.source) == Telling::audit) {
    auto record = audit_record(ask, AuditOutcome::refused);
    record.detail.emplace("reason", judged.outcome.error().code);
    static_cast<void>(co_await ports_.audit.record(judged.org, std::move(record)));  // it stays refused either way
  }
  co_return std::move(judged.outcome);
}

Enrolments::Telling Enrolments::note_refusal(const EnrolmentRefusal& refusal, const std::string& source) {
  const bool unknown = refusal.code == "unknown";
  if (!unknown && refusal.code != "proof") return Telling::audit;
  failures_.add();
  const auto now = clock_.steady();
  back_off_.failed(source, now);
  if (!unknown) return Telling::audit;
  auto& told = told_.touch(source);
  if (told && now - *told < kQuiet) return Telling::count;
  told = now;
  return Telling::audit;
}

awaitable<Enrolments::Judged> Enrolments::judge(EnrolmentAsk ask, Bytes exporter) {
  Judged judged{store::system_ledger(), not_now()};
  auto say = [&](Enrolment outcome) {
    judged.outcome = std::move(outcome);
    return std::move(judged);
  };
  if (!crypto::is_id<EnrolmentId>(ask.token_id)) co_return say(refused("unknown", "no such enrolment token"));
  auto token = co_await ports_.tokens.find_for_enrolment(EnrolmentId(ask.token_id));
  if (!token && token.error().code == Errc::not_found) co_return say(refused("unknown", "no such enrolment token"));
  if (!token) co_return say(not_now(std::move(token).error().message));
  judged.org = token->org;
  const auto secret = co_await ports_.envelope.open(secret_record(token->org, token->id), token->sealed_secret);
  if (!secret) co_return say(not_now("the enrolment string's secret does not open: " + secret.error().message));
  if (exporter.size() != crypto::kEnrolmentExporterSize ||
      !crypto::constant_time_equal(crypto::enrolment_proof(*secret, exporter, ask.csr_der), ask.proof)) {
    co_return say(refused("proof", "the proof does not fit the enrolment token and this connection"));
  }
  const auto state = store::state_at(*token, clock_.wall());
  if (state != store::EnrolmentState::usable) co_return say(std::unexpected(refusal_for(state)));
  if (auto wrong = not_for(*token, ask)) co_return say(std::unexpected(*std::move(wrong)));
  if (!is_printable(ask.hostname, kMaxHostname) || !is_printable(ask.software, kMaxSoftware)) {
    co_return say(refused("invalid", "the host name or software version is malformed"));
  }
  auto request = crypto::SigningRequest::from_der(ask.csr_der);
  if (!request) co_return say(refused("csr", request.error().message));
  co_return say(co_await enrol(*std::move(token), ask, *std::move(request)));
}

awaitable<Enrolment> Enrolments::enrol(store::EnrolmentToken token, EnrolmentAsk ask, crypto::SigningRequest request) {
  const auto group_id = co_await group_of(token.org, token.agent, token.group);
  if (!group_id) co_return not_now(group_id.error().message);
  const auto group = co_await ports_.groups.find(token.org, *group_id);
  if (!group) co_return not_now(group.error().message);
  const auto agent = token.agent ? *token.agent : crypto::new_id<AgentId>(clock_);
  auto issued = co_await ports_.authority.issue(token.org, agent, std::move(request));
  if (!issued) co_return not_now(std::move(issued).error().message);
  store::NewAgent row{agent, agent_name(ask, agent), ask.hostname, ask.software};
  auto record = enrolled_record(ask, agent, issued->certificate, group->name);
  if (token.agent) record.action = "agent.reenrol";
  auto note = ports_.audit.note<store::Agent>(token.org, std::move(record));
  auto stored =
      co_await ports_.tokens.redeem(token.org, token.id, clock_.wall(), std::move(row), issued->row, std::move(note));
  if (!stored) co_return std::unexpected(co_await why_not_redeemed(token.id, std::move(stored).error()));
  auto [root, predecessor] = trust_of(*issued, ports_.authority);
  co_return Enrolled{.org = token.org,
                     .agent = agent,
                     .group = group->name,
                     .certificate = std::move(issued->certificate),
                     .chain = std::move(issued->chain),
                     .root = std::move(root),
                     .trust_domain = ports_.authority.trust_domain(),
                     .predecessor = std::move(predecessor),
                     .again = token.agent.has_value()};
}

// The token was good a moment ago: another ask took its last use, or its time ran out meanwhile.
awaitable<EnrolmentRefusal> Enrolments::why_not_redeemed(EnrolmentId token, Error error) {
  if (error.code == Errc::forbidden) co_return EnrolmentRefusal{"revoked", "the agent of the token has been revoked"};
  if (error.code != Errc::conflict) co_return not_now().error();
  const auto now = co_await ports_.tokens.find_for_enrolment(std::move(token));
  if (!now) co_return not_now().error();
  co_return refusal_for(store::state_at(*now, clock_.wall()));
}

}  // namespace sallyport::identity
