#include "agent/connectors/listen/proof.h"

namespace sallyport::connectors::listen {
namespace {

proof::Scheme scheme_of(policy::SenderProof proof) {
  switch (proof) {
    case policy::SenderProof::signature: return proof::Scheme::signature;
    case policy::SenderProof::timestamped_signature: return proof::Scheme::timestamped_signature;
    case policy::SenderProof::standard_webhooks: return proof::Scheme::standard_webhooks;
    default: return proof::Scheme::bearer;
  }
}

}  // namespace

std::expected<Proven, Doubt> check_proof(const policy::ListenSender& sender, std::span<const Secret> secrets,
                                         const http::Headers& headers, std::string_view body, WallTime now) {
  if (sender.proof == policy::SenderProof::certificate) return Proven{};
  return proof::check({scheme_of(sender.proof), sender.signature_header, sender.tolerance}, secrets, headers, body,
                      now);
}

}  // namespace sallyport::connectors::listen
