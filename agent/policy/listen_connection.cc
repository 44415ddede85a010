#include "agent/policy/listen_connection.h"

#include "agent/policy/listen_rule.h"
#include "agent/policy/reading.h"
#include "shared/base/host.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::policy {
namespace {

using yaml::FieldReader;
using yaml::Need;

constexpr std::array<std::string_view, 2> kSecurity{"tls", "none"};
constexpr std::array<std::string_view, 5> kProofs{"bearer", "signature", "timestamped-signature", "standard-webhooks",
                                                  "certificate"};
constexpr std::array<std::string_view, 4> kPrivateHeaders{"authorization", "proxy-authorization", "cookie",
                                                          "set-cookie"};
constexpr std::size_t kMostSenders = 64;
constexpr SizeRange kBody{1024, 240ULL << 10};  // what fits into the data of a trigger
constexpr yaml::DurationRange kTolerance{std::chrono::seconds(10), std::chrono::hours(1)};

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  return text;
}

bool is_ip_address(std::string_view text) {
  const bool is_numeric = text.contains(':') || text.find_first_not_of("0123456789.") == std::string_view::npos;
  return is_numeric && canonical_host(text).has_value();
}

bool is_header_name(std::string_view name) {
  const auto is_token = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, is_token);
}

std::string read_header(FieldReader& fields, std::string_view name, std::string fallback, Need need = Need::optional) {
  auto header = fields.text(name, need).value_or(std::move(fallback));
  if (!header.empty() && !is_header_name(header))
    fields.problem(name, "bad-name", fmt::format("{} is no name of a header", yaml::quoted(header)));
  return header;
}

std::vector<std::string> read_shown_headers(FieldReader& fields, const ListenSender& sender) {
  auto names = fields.texts("headers");
  for (auto& name : names) {
    name = lower(std::move(name));
    const bool is_private = std::ranges::find(kPrivateHeaders, name) != kPrivateHeaders.end();
    if (is_private || name == lower(sender.signature_header))
      fields.problem("headers", "bad-name", fmt::format("{} is a proof: no recipe sees it", yaml::quoted(name)));
    if (!is_header_name(name))
      fields.problem("headers", "bad-name", fmt::format("{} is no name of a header", yaml::quoted(name)));
  }
  return names;
}

void read_signature(FieldReader& fields, ListenSender& sender) {
  const bool is_timed =
      sender.proof == SenderProof::timestamped_signature || sender.proof == SenderProof::standard_webhooks;
  if (sender.proof == SenderProof::signature)
    sender.signature_header = read_header(fields, "signature_header", "X-Hub-Signature-256");
  if (sender.proof == SenderProof::timestamped_signature)
    sender.signature_header = read_header(fields, "signature_header", "", Need::required);
  if (sender.proof == SenderProof::standard_webhooks) sender.delivery_header = "webhook-id";
  if (is_timed) sender.tolerance = fields.duration("tolerance", kTolerance).value_or(std::chrono::minutes(5));
}

void read_secrets(FieldReader& fields, ListenSender& sender, std::string_view directory) {
  sender.secret = read_secret_ref(fields, "secret", directory);
  sender.other_secret = read_secret_ref(fields, "other_secret", directory);
  if (sender.needs_secret() != static_cast<bool>(sender.secret))
    fields.problem("proof", "missing-field",
                   sender.needs_secret()
                       ? "this proof needs a secret: `secret_file`, `secret_env` or `secret_system_key`"
                       : "a certificate needs no secret");
  if (sender.other_secret && !sender.secret)
    fields.problem("proof", "missing-field", "the other secret stands beside a first one");
}

ListenSender read_sender(const yaml::Node& node, yaml::Report& report, std::string_view directory) {
  FieldReader fields(node, report, "a sender");
  ListenSender sender;
  sender.path = fields.text("path", Need::required).value_or("");
  if (!sender.path.empty() && !is_listen_path(sender.path))
    fields.problem("path", "bad-path",
                   "`path` begins with a slash and has letters, digits and - . _ ~ between slashes: /github/push");
  const auto proof = fields.choice("proof", kProofs, Need::required);
  if (!proof) return sender;
  sender.proof = static_cast<SenderProof>(std::ranges::find(kProofs, *proof) - kProofs.begin());
  read_secrets(fields, sender, directory);
  read_signature(fields, sender);
  if (sender.proof != SenderProof::standard_webhooks)
    sender.delivery_header = read_header(fields, "delivery_header", "");
  sender.headers = read_shown_headers(fields, sender);
  sender.content_types = fields.texts("content_types");
  for (auto& type : sender.content_types) type = lower(std::move(type));
  fields.finish();
  return sender;
}

void read_tls(FieldReader& fields, ListenConnection& listener, std::string_view directory) {
  listener.has_tls = fields.choice("security", kSecurity).value_or("tls") == "tls";
  const auto certificate = fields.text("certificate_file", listener.has_tls ? Need::required : Need::optional);
  const auto key = fields.text("key_file", listener.has_tls ? Need::required : Need::optional);
  const auto authorities = fields.text("client_ca_file");
  if (certificate) listener.certificate_file = resolve_path(*certificate, directory);
  if (key) listener.key = {vault::SecretRef::Source::file, resolve_path(*key, directory)};
  if (authorities) listener.client_ca_file = resolve_path(*authorities, directory);
  if (listener.has_tls) return;
  if (certificate || key || authorities)
    fields.problem("security", "clear-text", "`security: none` has no certificates");
  if (!is_this_machine(listener.address))
    fields.problem(
        "security", "clear-text",
        "`security: none` is only allowed on an address of this machine (127.0.0.1, ::1): secrets would cross "
        "the network in clear text");
}

void check_senders(FieldReader& fields, const ListenConnection& listener) {
  if (fields.any("senders") != nullptr && (listener.senders.empty() || listener.senders.size() > kMostSenders))
    fields.problem("senders", "missing-field", fmt::format("`senders` has 1 to {} paths", kMostSenders));
  for (const auto& sender : listener.senders) {
    if (listener.find(sender.path) != &sender)
      fields.problem("senders", "duplicate", fmt::format("{} has two senders", yaml::quoted(sender.path)));
    if (sender.proof == SenderProof::certificate && listener.client_ca_file.empty())
      fields.problem("senders", "missing-field", "the proof `certificate` needs `client_ca_file`");
  }
}

}  // namespace

std::string_view to_string(SenderProof proof) { return kProofs[static_cast<std::size_t>(proof)]; }

const ListenSender* ListenConnection::find(std::string_view path) const {
  const auto it = std::ranges::find(senders, path, &ListenSender::path);
  return it == senders.end() ? nullptr : &*it;
}

ListenConnection read_listen(FieldReader& fields, std::string_view directory) {
  ListenConnection listener;
  listener.address = fields.text("address").value_or(listener.address);
  if (!is_ip_address(listener.address))
    fields.problem("address", "bad-address", "`address` is an IP address of this machine");
  listener.port = static_cast<std::uint16_t>(fields.integer("port", {1, 65535}, Need::required).value_or(0));
  read_tls(fields, listener, directory);
  listener.max_body = read_size(fields, "max_body", kBody).value_or(listener.max_body);
  listener.rate = static_cast<std::uint32_t>(fields.integer("rate", {1, 1'000'000}).value_or(listener.rate));
  if (const auto* list = fields.sequence("senders", Need::required)) {
    for (const auto& item : list->items) listener.senders.push_back(read_sender(item, fields.report(), directory));
  }
  check_senders(fields, listener);
  return listener;
}

std::vector<vault::SecretRef> secrets_of(const ListenConnection& listener) {
  std::vector<vault::SecretRef> all{listener.key};
  for (const auto& sender : listener.senders) all.insert(all.end(), {sender.secret, sender.other_secret});
  return all;
}

}  // namespace sallyport::policy
