#include "relay/identity/admission.h"

namespace sallyport::identity {

using boost::asio::awaitable;
using Admitted = std::expected<store::Agent, tls::Refusal>;
namespace reason = tls::reason;

namespace {

constexpr std::string_view kLinkOpen = "link.open";
constexpr std::string_view kQuarantine = "agent.quarantine";
constexpr std::string_view kSecondProcess = "second_process";

tls::ShownAgent shown_by(const tls::PeerIdentity& peer) { return {peer.id, peer.serial}; }

std::unexpected<tls::Refusal> refused(std::string_view why, Errc code, std::string message) {
  return std::unexpected(tls::Refusal{why, Error{code, std::move(message)}});
}

std::unexpected<tls::Refusal> refused(Error error) {
  switch (error.code) {
    case Errc::not_found:
      return refused(reason::kUnknownSerial, Errc::unauthenticated, "this relay knows no such certificate");
    case Errc::forbidden: return refused(reason::kRevoked, Errc::forbidden, "the agent has been revoked");
    case Errc::conflict:
      return refused(reason::kOldGeneration, Errc::conflict,
                     "a newer certificate of this agent has been used: this is an old copy of its identity");
    default: return std::unexpected(tls::Refusal{reason::kUnavailable, std::move(error)});
  }
}

}  // namespace

awaitable<Admitted> Admissions::admit(tls::PeerIdentity peer) {
  auto admitted = co_await judge(peer);
  if (admitted || admitted.error().reason == reason::kUnavailable) co_return admitted;
  const auto why = admitted.error().reason;
  co_await audit_refusal(shown_by(peer), {why == reason::kOldGeneration ? kQuarantine : kLinkOpen, why});
  co_return admitted;
}

awaitable<void> Admissions::note_copy(const tls::PeerIdentity& peer, std::string address) {
  return audit_refusal(shown_by(peer), {kQuarantine, kSecondProcess, std::move(address)});
}

awaitable<void> Admissions::note_expired(tls::ShownAgent agent, std::string address) {
  return audit_refusal(std::move(agent), {kLinkOpen, reason::kExpired, std::move(address)});
}

// An agent that was revoked tries again and again; its attempts must not fill the ledger.
awaitable<void> Admissions::audit_refusal(tls::ShownAgent agent, Refused refused) {
  const auto unsaid = repeated_.turn_of(agent.serial, refused.reason);
  if (!unsaid) co_return;
  const auto name = "agent:" + agent.id.agent.value;
  AuditRecord record{
      .actor = name, .action = std::string(refused.action), .target = name, .outcome = AuditOutcome::refused};
  record.detail.emplace("reason", refused.reason);
  if (!refused.address.empty()) record.detail.emplace("address", refused.address);
  record.detail.emplace("serial", agent.serial);
  if (*unsaid > 0) record.detail.emplace("unsaid", *unsaid);
  static_cast<void>(co_await audit_.record(agent.id.org, std::move(record)));  // it stays refused either way
}

awaitable<Admitted> Admissions::judge(tls::PeerIdentity peer) {
  const auto found = co_await certificates_.find(peer.id.org, store::Serial(peer.serial));
  if (!found) co_return refused(found.error());
  if (found->agent != peer.id.agent) co_return refused({Errc::not_found, ""});
  if (found->revoked_at) co_return refused({Errc::forbidden, ""});
  auto agent = co_await agents_.confirm_generation(peer.id.org, peer.id.agent, found->generation);
  if (!agent) co_return refused(std::move(agent).error());
  co_return *std::move(agent);
}

awaitable<Result<void>> Admissions::confirm_installed(tls::PeerIdentity peer, std::string serial) {
  const auto found = co_await certificates_.find(peer.id.org, store::Serial(std::move(serial)));
  if (!found) co_return std::unexpected(found.error());
  if (found->agent != peer.id.agent || found->revoked_at)
    co_return fail(Errc::forbidden, "the certificate is not a valid one of this agent");
  const auto agent = co_await agents_.confirm_generation(peer.id.org, peer.id.agent, found->generation);
  if (!agent) co_return std::unexpected(agent.error());
  co_return Result<void>();
}

}  // namespace sallyport::identity
