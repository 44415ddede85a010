#include "agent/policy/connection_readers.h"
#include "agent/policy/reading.h"

#include <array>

namespace sallyport::policy {
namespace {

constexpr std::array<std::string_view, 2> kSecurity{"explicit", "implicit"};
constexpr std::array<std::string_view, 2> kVersions{"1.2", "1.3"};
constexpr yaml::DurationRange kPatience{std::chrono::seconds(1), std::chrono::minutes(5)};

void read_server(yaml::FieldReader& fields, FtpsConnection& ftps) {
  ftps.host = fields.text("host", yaml::Need::required).value_or("");
  if (fields.choice("security", kSecurity) == "implicit") ftps.security = FtpsSecurity::implicit_tls;
  ftps.tls_1_3 = fields.choice("tls_version", kVersions) == "1.3";
  const std::int64_t usual = ftps.security == FtpsSecurity::implicit_tls ? 990 : 21;
  ftps.port = static_cast<std::uint16_t>(fields.integer("port", {1, 65535}).value_or(usual));
  ftps.root = read_remote_root(fields);
  ftps.pool = static_cast<std::uint32_t>(fields.integer("pool", {1, 64}).value_or(ftps.pool));
  ftps.connect_timeout = fields.duration("connect_timeout", kPatience).value_or(ftps.connect_timeout);
  ftps.answer_timeout = fields.duration("answer_timeout", kPatience).value_or(ftps.answer_timeout);
}

void read_login(yaml::FieldReader& fields, std::string_view directory, FtpsConnection& ftps) {
  ftps.user = fields.text("user", yaml::Need::required).value_or("");
  if (has_control(ftps.user)) fields.problem("user", "bad-value", "`user` has a control character");
  ftps.password = read_secret_ref(fields, "password", directory);
  if (!ftps.password)
    fields.problem("user", "no-credentials", "give a password (`password_file`, `password_env`, ...)");
}

}  // namespace

FtpsConnection read_ftps(yaml::FieldReader& fields, std::string_view directory) {
  FtpsConnection ftps;
  read_server(fields, ftps);
  read_login(fields, directory, ftps);
  if (const auto ca = fields.text("ca_file")) ftps.ca_file = resolve_path(*ca, directory);
  auto shown = read_client_certificate(fields, directory);
  ftps.client_certificate_file = std::move(shown.file);
  ftps.client_key = std::move(shown.key);
  return ftps;
}

}  // namespace sallyport::policy
