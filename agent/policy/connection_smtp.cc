#include "agent/policy/connection_readers.h"
#include "agent/policy/reading.h"

#include <algorithm>
#include <array>

namespace sallyport::policy {
namespace {

struct Way {
  SmtpSecurity security;
  std::uint16_t port;  // usually
};
constexpr std::array<std::string_view, 3> kSecurity{"starttls", "tls", "none"};
constexpr std::array kWays{Way{SmtpSecurity::starttls, 587}, Way{SmtpSecurity::tls, 465}, Way{SmtpSecurity::none, 25}};

}  // namespace

SmtpConnection read_smtp(yaml::FieldReader& fields, std::string_view directory) {
  SmtpConnection smtp;
  smtp.host = fields.text("host", yaml::Need::required).value_or("");
  const auto word = fields.choice("security", kSecurity).value_or("starttls");
  const auto& way = kWays[static_cast<std::size_t>(std::ranges::find(kSecurity, word) - kSecurity.begin())];
  smtp.security = way.security;
  smtp.port = static_cast<std::uint16_t>(fields.integer("port", {1, 65535}).value_or(way.port));
  if (const auto ca = fields.text("ca_file")) smtp.ca_file = resolve_path(*ca, directory);
  smtp.user = fields.text("user").value_or("");
  smtp.password = read_secret_ref(fields, "password", directory);
  if (smtp.user.empty() == static_cast<bool>(smtp.password))
    fields.problem("user", "missing-field", "`user` and a password belong together: give both or none");
  smtp.from = fields.texts("from", yaml::Need::required);
  if (smtp.from.empty() && fields.any("from") != nullptr)
    fields.problem("from", "missing-field", "`from` names one address at least");
  smtp.max_size = read_size(fields, "max_size", {1024, 1ULL << 30}).value_or(smtp.max_size);
  constexpr yaml::DurationRange kPatience{std::chrono::seconds(1), std::chrono::minutes(5)};
  smtp.connect_timeout = fields.duration("connect_timeout", kPatience).value_or(smtp.connect_timeout);
  if (smtp.security == SmtpSecurity::none && !smtp.host.empty() && !is_this_machine(smtp.host))
    fields.problem("security", "clear-text",
                   "`security: none` is only allowed for a server on this machine: mail and password would cross the "
                   "network in clear text");
  return smtp;
}

}  // namespace sallyport::policy
