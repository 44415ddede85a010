#include "relay/identity/admission.h"

namespace sallyport::identity {

using boost::asio::awaitable;
using Admitted = std::expected<store::Agent, tls::Refusal>;
namespace reason = tls::reason;

namespace {

constexpr std::string_view kQuarantine = "agent.quarantine";
constexpr std::string_view kSecondProcess = "second_process";

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
  co_await audit_refusal(std::move(peer), {why == reason::kOldGeneration ? kQuarantine : "link.open", why});
  co_return admitted;
}

awaitable<void> Admissions::note_copy(tls::PeerIdentity peer, std::string address) {
  return audit_refusal(std::move(peer), {kQuarantine, kSecondProcess, std::move(address)});
}

// An agent that was revoked tries again and again; its attempts must not fill the ledger.
awaitable<void> Admissions::audit_refusal(tls::PeerIdentity peer, Refused refused) {
  const auto unsaid = repeated_.turn_of(peer.serial, refused.reason);
  if (!unsaid) co_return;
  const auto name = "agent:" + peer.id.agent.value;
  AuditRecord record{
      .actor = name, .action = std::string(refused.action), .target = name, .outcome = AuditOutcome::refused};
  record.detail.emplace("reason", refused.reason);
  if (!refused.address.empty()) record.detail.emplace("address", refused.address);
  record.detail.emplace("serial", peer.serial);
  if (*unsaid > 0) record.detail.emplace("unsaid", *unsaid);
  static_cast<void>(co_await audit_.record(peer.id.org, std::move(record)));  // it stays refused either way
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

}  // namespace sallyport::identity
