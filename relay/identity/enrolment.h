#pragma once

#include "relay/audit/audit.h"
#include "relay/identity/agent_authority.h"
#include "relay/store/store.h"
#include "shared/async/sources.h"
#include "shared/base/metrics.h"
#include "shared/crypto/enrolment_string.h"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::identity {

inline constexpr std::chrono::seconds kDefaultTokenLifetime = std::chrono::hours(1);
inline constexpr std::chrono::seconds kLongestTokenLifetime = std::chrono::hours(24 * 7);
inline constexpr std::uint32_t kMostTokenUses = 10'000;

// Where agents reach this relay; goes into every enrolment string.
struct PublicAddress {
  std::string link_host;
  std::uint16_t link_port = 0;
  std::string api_url;  // may be empty
};

struct TokenOrder {
  GroupId group;
  UserId created_by;
  std::uint32_t max_uses = 1;
  std::chrono::seconds lifetime = kDefaultTokenLifetime;
  // For this agent, which stays who it is and gets a new certificate; its group goes for `group`, and it is used once.
  std::optional<AgentId> agent = {};
};

struct MadeToken {
  store::EnrolmentToken token;
  Secret text;  // the enrolment string: shown once, kept nowhere
};

// The fields of an EnrolRequest (proto/sallyport/v1/link.proto) and where it came from.
struct EnrolmentAsk {
  std::string token_id;
  Bytes csr_der;
  Bytes proof;
  std::string hostname;
  std::string software;
  std::string from_address;   // for the audit record
  std::string source;         // as source_of() says, for the back-off
  std::string agent_id = {};  // who the asker says it is already; "" for nobody
};

// The fields of an EnrolResponse.
struct Enrolled {
  OrgId org;
  AgentId agent;
  std::string group;
  crypto::Certificate certificate;
  std::vector<crypto::Certificate> chain;
  crypto::Certificate root;
  std::string trust_domain;
  // For strings that pin the root before; `root` is then the one above the certificate, and its word is in here.
  std::optional<Predecessor> predecessor = {};
  bool again = false;  // it was there before: its older certificates are old copies from now on
};

// `code` is the wire's error_code: "unknown", "proof", "expired", "used", "revoked", "agent", "csr", "invalid" or
// "unavailable".
// Everything that a holder of the token id without the secret could learn is "unknown" or "proof".
struct EnrolmentRefusal {
  std::string_view code;
  std::string message;   // safe to send to the caller
  std::string why = {};  // for the operator alone, where the message does not say it
};

using Enrolment = std::expected<Enrolled, EnrolmentRefusal>;

// Makes and redeems enrolment tokens. Everything handed in outlives it.
class Enrolments {
 public:
  struct Ports {
    store::EnrolmentTokens& tokens;
    store::Groups& groups;
    store::Agents& agents;
    AgentAuthority& authority;
    keys::Envelope& envelope;
    Audit& audit;
    Metrics& metrics;
  };
  Enrolments(Ports ports, PublicAddress address, const Clock& clock);

  // not_found: no such group or agent; invalid: uses or lifetime out of range; conflict: that agent is revoked.
  boost::asio::awaitable<Result<MadeToken>> make_token(OrgId org, TokenOrder order,
                                                       store::AuditNote<store::EnrolmentToken> note = {});

  // `exporter` is crypto::kEnrolmentExporterSize bytes of the TLS session the ask came over, with
  // crypto::kEnrolmentExporterLabel. The token's use, the agent, its certificate and the audit entry are stored in one
  // transaction: of any number of concurrent asks, exactly max_uses succeed. A token for an agent is for whoever is
  // that agent already, or nobody yet; any other is for nobody yet ("agent"). Every refusal is audited too; but of
  // tokens that do not exist one in five minutes by source. Those and failed proofs are counted, and block their source
  // for ever longer ("unavailable"): whoever only reaches the port cannot fill the ledger.
  boost::asio::awaitable<Enrolment> redeem(EnrolmentAsk ask, Bytes exporter);

 private:
  struct Judged;
  enum class Telling { audit, count };

  Telling note_refusal(const EnrolmentRefusal& refusal, const std::string& source);
  boost::asio::awaitable<Judged> judge(EnrolmentAsk ask, Bytes exporter);
  boost::asio::awaitable<Enrolment> enrol(store::EnrolmentToken token, EnrolmentAsk ask,
                                          crypto::SigningRequest request);
  boost::asio::awaitable<Result<GroupId>> group_of(OrgId org, std::optional<AgentId> agent, GroupId of_others);
  boost::asio::awaitable<EnrolmentRefusal> why_not_redeemed(EnrolmentId token, Error error);

  Ports ports_;
  PublicAddress address_;
  const Clock& clock_;
  SourceBackOff back_off_;
  BoundedTable<std::optional<SteadyTime>> told_;  // by source: when an unknown token of it was audited
  Counter& failures_;
  Counter& blocked_;
};

}  // namespace sallyport::identity
