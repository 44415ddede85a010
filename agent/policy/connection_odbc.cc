#include "agent/policy/connection_readers.h"
#include "agent/policy/reading.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace sallyport::policy {
namespace {

constexpr std::array<std::string_view, 3> kServers{"other", "postgres", "mysql"};

// What says where a database is, and how what goes there is kept from others. Nothing that runs SQL or a program, loads
// code, writes files or holds a secret: that is for the machine's odbc.ini, if for anybody.
constexpr std::array<std::string_view, 31> kAttributes{"Server",
                                                       "ServerName",
                                                       "Address",
                                                       "Hostname",
                                                       "Host",
                                                       "Port",
                                                       "Socket",
                                                       "Protocol",
                                                       "Database",
                                                       "DBQ",
                                                       "ServiceName",
                                                       "CurrentSchema",
                                                       "TDS_Version",
                                                       "ClientCharset",
                                                       "ApplicationIntent",
                                                       "MultiSubnetFailover",
                                                       "Encryption",
                                                       "Encrypt",
                                                       "TrustServerCertificate",
                                                       "HostNameInCertificate",
                                                       "ServerCertificate",
                                                       "Security",
                                                       "SSLServerCertificate",
                                                       "SSLmode",
                                                       "SSLCA",
                                                       "SSLVERIFY",
                                                       "FORCETLS",
                                                       "TLSVERSION",
                                                       "TLSPEERFP",
                                                       "Fetch",
                                                       "ReadOnly"};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool is_allowed(std::string_view name) {
  return std::ranges::any_of(kAttributes,
                             [&](std::string_view one) { return std::ranges::equal(one, name, {}, lower, lower); });
}

// Stands in a connection string as it is: drivers disagree about what quotes there.
bool is_plain(std::string_view value) {
  return !value.empty() && value.front() != ' ' && value.back() != ' ' && std::ranges::none_of(value, [](char c) {
    return c == ';' || c == '{' || c == '}' || c == '=' || static_cast<unsigned char>(c) < ' ';
  });
}

std::string read_plain(yaml::FieldReader& fields, std::string_view name) {
  auto value = fields.text(name).value_or("");
  if (!value.empty() && !is_plain(value))
    fields.problem(name, "bad-odbc", fmt::format("`{}` must not hold any of ;{{}}= or line breaks", name));
  return value;
}

void read_attributes(yaml::FieldReader& fields, OdbcConnection& odbc) {
  const auto* given = fields.mapping("attributes");
  if (given == nullptr) return;
  yaml::FieldReader each(*given, fields.report(), "`attributes`");
  for (const auto& member : given->members) {
    if (!is_allowed(member.key))
      each.problem(member.key, "odbc-attribute",
                   fmt::format("the attribute {} is not one that connections.yaml may give: put it into the machine's "
                               "odbc.ini and name that by `dsn`",
                               yaml::quoted(member.key)));
    odbc.attributes.emplace_back(member.key, read_plain(each, member.key));
  }
  each.finish();
}

}  // namespace

OdbcConnection read_odbc(yaml::FieldReader& fields, std::string_view directory) {
  OdbcConnection odbc;
  odbc.driver = read_plain(fields, "odbc_driver");
  odbc.dsn = read_plain(fields, "dsn");
  if (odbc.driver.empty() == odbc.dsn.empty())
    fields.problem("dsn", "missing-field",
                   "give one of `odbc_driver` (a name in odbcinst.ini) and `dsn` (a name in odbc.ini)");
  read_attributes(fields, odbc);
  odbc.user = read_plain(fields, "user");
  odbc.password = read_secret_ref(fields, "password", directory);
  const auto server = fields.choice("server", kServers).value_or("other");
  odbc.server = static_cast<OdbcServer>(std::ranges::find(kServers, server) - kServers.begin());
  constexpr yaml::DurationRange kPatience{std::chrono::seconds(1), std::chrono::minutes(5)};
  odbc.connect_timeout = fields.duration("connect_timeout", kPatience).value_or(odbc.connect_timeout);
  return odbc;
}

}  // namespace sallyport::policy
