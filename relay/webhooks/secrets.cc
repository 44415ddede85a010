#include "relay/webhooks/secrets.h"

#include "shared/base/text.h"
#include "shared/crypto/random.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

namespace sallyport::webhooks {
namespace {

constexpr std::chrono::minutes kTolerance{5};
constexpr std::string_view kForGood = "-";
constexpr std::string_view kPrefix = "whsec_";

bool is_visible(char c) { return c > ' ' && c < 0x7F; }

// "1700000000000 whsec_..." or "- whsec_...".
Result<HeldSecret> read_line(std::string_view line) {
  const auto space = line.find(' ');
  if (space == std::string_view::npos) return fail(Errc::invalid, "a line of secrets has no time");
  HeldSecret held{.text = Secret::take(std::string(line.substr(space + 1)))};
  const auto time = line.substr(0, space);
  if (time == kForGood) return held;
  std::int64_t ms = 0;
  const auto [end, error] = std::from_chars(time.data(), time.data() + time.size(), ms);
  if (error != std::errc() || end != time.data() + time.size())
    return fail(Errc::invalid, "a line of secrets has no time");
  held.until = from_unix_ms(ms);
  return held;
}

}  // namespace

proof::Terms terms_of(const store::Webhook& webhook) {
  auto scheme = proof::Scheme::standard_webhooks;
  if (webhook.proof == "signature") scheme = proof::Scheme::signature;
  if (webhook.proof == "timestamped-signature") scheme = proof::Scheme::timestamped_signature;
  return {scheme, webhook.signature_header, kTolerance};
}

std::string_view usual_header(std::string_view proof) {
  return proof == "signature" ? "X-Hub-Signature-256" : std::string_view();
}

keys::RecordIdentity secrets_identity(const OrgId& org, const WebhookId& id) {
  return {org, "webhooks", "secrets", id.value};
}

Secret join_secrets(std::span<const HeldSecret> secrets) {
  std::string text;
  text.reserve(secrets.size() * (kLongestSecret + 32));  // it is not moved while it grows
  for (const auto& held : secrets) {
    if (held.until)
      fmt::format_to(std::back_inserter(text), "{} ", unix_ms(*held.until));
    else
      text.append(kForGood).append(" ");
    text.append(held.text.reveal()).append("\n");
  }
  return Secret::take(text);
}

Result<std::vector<HeldSecret>> split_secrets(const Secret& text) {
  std::vector<HeldSecret> secrets;
  auto rest = text.reveal();
  while (!rest.empty()) {
    const auto end = std::min(rest.find('\n'), rest.size());
    if (secrets.size() == kMostSecrets) return fail(Errc::invalid, "a webhook has too many secrets");
    SP_TRY(auto held, read_line(rest.substr(0, end)));
    secrets.push_back(std::move(held));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return secrets;
}

std::vector<Secret> good_at(std::span<const HeldSecret> secrets, WallTime now) {
  std::vector<Secret> good;
  for (const auto& held : secrets) {
    if (!held.until || now < *held.until) good.push_back(held.text.duplicate());
  }
  return good;
}

std::vector<HeldSecret> with_newest(std::vector<HeldSecret> secrets, Secret newest, WallTime now, WallTime old_until) {
  std::vector<HeldSecret> all;
  all.push_back({.text = std::move(newest)});
  for (auto& held : secrets) {
    const auto until = held.until ? std::min(*held.until, old_until) : old_until;
    if (now < until && all.size() < kMostSecrets) all.push_back({.text = std::move(held.text), .until = until});
  }
  return all;
}

Secret make_secret() {
  auto bytes = crypto::random_bytes(32);
  std::string text(kPrefix);
  text.reserve(64);
  auto written = base64(bytes);
  text += written;
  wipe(written.data(), written.size());
  wipe(bytes.data(), bytes.size());
  return Secret::take(text);
}

std::string fault_of_secret(std::string_view text) {
  const bool fits = text.size() >= proof::kShortestSecret && text.size() <= kLongestSecret;
  if (!fits || !std::ranges::all_of(text, is_visible))
    return fmt::format("must be {} to {} visible ASCII characters", proof::kShortestSecret, kLongestSecret);
  if (!text.starts_with(kPrefix)) return "";
  const auto key = from_base64(text.substr(kPrefix.size()));
  if (key && key->size() >= proof::kShortestSecret) return "";
  return fmt::format("must be at least {} bytes in base64 behind \"whsec_\"", proof::kShortestSecret);
}

}  // namespace sallyport::webhooks
