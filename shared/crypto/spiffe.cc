#include "shared/crypto/spiffe.h"

#include "shared/crypto/new_id.h"

#include <algorithm>

namespace sallyport::crypto {
namespace {

constexpr std::string_view kScheme = "spiffe://";
constexpr std::string_view kShape = "spiffe://<trust-domain>/org/<org>/agent/<agent>";

// Cuts `text` at the first `separator`; what follows it stays in `text`.
std::string_view cut(std::string_view& text, std::string_view separator) {
  const auto at = text.find(separator);
  const auto head = text.substr(0, at);
  text = at == std::string_view::npos ? std::string_view() : text.substr(at + separator.size());
  return head;
}

bool is_label(std::string_view label) {
  if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
  return std::ranges::all_of(label,
                             [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

}  // namespace

bool is_trust_domain(std::string_view text) {
  if (text.empty() || text.size() > 253 || text.back() == '.') return false;
  while (!text.empty()) {
    if (!is_label(cut(text, "."))) return false;
  }
  return true;
}

std::string to_string(const SpiffeId& id) {
  return std::string(kScheme) + id.trust_domain + "/org/" + id.org.value + "/agent/" + id.agent.value;
}

Result<SpiffeId> parse_spiffe_id(std::string_view text) {
  auto wrong = [](std::string_view what) {
    return fail(Errc::invalid, std::string(what) + ", expected " + std::string(kShape));
  };
  if (!text.starts_with(kScheme)) return wrong("not a SPIFFE id");
  text.remove_prefix(kScheme.size());
  const auto trust_domain = cut(text, "/");
  if (!is_trust_domain(trust_domain)) return wrong("the SPIFFE id's trust domain is malformed");
  if (!text.starts_with("org/")) return wrong("the SPIFFE id names no organisation");
  text.remove_prefix(4);
  const auto org = cut(text, "/agent/");
  if (!is_id<OrgId>(org)) return wrong("the SPIFFE id's organisation is malformed");
  if (!is_id<AgentId>(text)) return wrong("the SPIFFE id's agent is malformed");
  return SpiffeId{std::string(trust_domain), OrgId(std::string(org)), AgentId(std::string(text))};
}

}  // namespace sallyport::crypto
