#include "agent/connectors/certificate/shown.h"

#include "shared/base/text.h"
#include "shared/base/utf8.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace sallyport::connectors::certificate {
namespace {

using crypto::ChainFault;
using findings::Finding;
using findings::Verdict;

constexpr const char* kSystemStore = "/etc/ssl/certs/ca-certificates.crt";
constexpr std::size_t kLongestName = 256;
constexpr std::size_t kMostNames = 8;

std::string for_people(std::string text) {
  for (auto& letter : text) {
    if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f) letter = '?';
  }
  return shortened(std::move(text), kLongestName);
}

std::string names_of(const crypto::Certificate& certificate) {
  std::vector<std::string> names;
  for (auto& name : certificate.alt_names()) {
    const bool of_a_server = name.kind == crypto::AltName::Kind::dns || name.kind == crypto::AltName::Kind::ip;
    if (of_a_server) names.push_back(for_people(std::move(name.text)));
  }
  if (names.empty()) return "no host";
  const auto more = names.size() > kMostNames ? names.size() - kMostNames : 0;
  names.resize(names.size() - more);
  return fmt::format("{}{}", fmt::join(names, ", "), more > 0 ? fmt::format(" and {} more", more) : "");
}

std::string fingerprint_of(const crypto::Certificate& certificate) {
  std::string out;
  for (const auto byte : certificate.fingerprint())
    out += fmt::format("{}{:02X}", out.empty() ? "" : ":", static_cast<unsigned>(byte));
  return out;
}

}  // namespace

std::string describe(const crypto::Certificate& certificate) {
  const auto subject = for_people(certificate.subject());
  return fmt::format("{}, issued by {}, for {}, until {}, SHA-256 {}", subject.empty() ? "no name" : subject,
                     for_people(certificate.issuer()), names_of(certificate),
                     rfc3339(certificate.not_after()).substr(0, 10), fingerprint_of(certificate));
}

Shown::Shown(Whom whom, std::vector<crypto::Certificate> chain, const Clock& clock)
    : whom_(std::move(whom)),
      chain_(std::move(chain)),
      judgement_(crypto::judge_server_chain(chain_, whom_.ca_file.empty() ? kSystemStore : whom_.ca_file,
                                            whom_.name == Whom::Name::checked ? whom_.host : "", clock.wall())) {}

bool Shown::is_refusable() const { return !chain_.empty() && judgement_.fault != ChainFault::none; }

std::string Shown::certificate() const {
  if (!chain_.empty()) return fmt::format("{} shows {}", whom_.host, describe(chain_.front()));
  return fmt::format("no certificate is seen of {}{}{}", whom_.host, why_.message.empty() ? "" : ": ", why_.message);
}

Finding Shown::good() const {
  auto text = whom_.name == Whom::Name::checked ? fmt::format("the certificate is good for {}", whom_.host)
                                                : "the certificate is good, whatever host it is for";
  if (!chain_.empty()) text += ": " + certificate();
  return {"tls", Verdict::good, std::move(text)};
}

Finding Shown::note(const std::string& text, const std::string& advice) const {
  return {"tls", Verdict::note, fmt::format("{}: {}", text, certificate()), advice};
}

Finding Shown::bad(const std::string& why) const {
  auto text = fmt::format("{}: {}", why, certificate());
  if (is_refusable()) text += fmt::format(" ({})", judgement_.text);
  return {"tls", Verdict::bad, std::move(text), advice()};
}

std::string Shown::advice() const {
  const auto fault = chain_.empty() ? ChainFault::none : judgement_.fault;
  switch (fault) {
    case ChainFault::expired:
    case ChainFault::not_yet_valid:
      return "have the server's certificate renewed, or set this machine's clock when it is wrong";
    case ChainFault::other_host:
      return fmt::format("write one of its names into connections.yaml, or have the server's certificate made for {}",
                         whom_.host);
    case ChainFault::not_trusted:
      return fmt::format(
          "ask the server's owner, by another way, for that SHA-256: when it is the same, put the certificate of its "
          "issuer into {}; when it is not, somebody else answers there",
          whom_.ca_file.empty() ? "a file and name it as `ca_file`" : whom_.ca_file);
    case ChainFault::no_store: return "correct `ca_file` in connections.yaml";
    case ChainFault::unsuitable: return "have a certificate made for the server that is for servers, and of this time";
    case ChainFault::none: break;
  }
  return "correct how the connection is secured in connections.yaml (port, TLS, `ca_file`, the client certificate), or "
         "the server";
}

}  // namespace sallyport::connectors::certificate
