#include "agent/policy/connection_readers.h"
#include "agent/policy/reading.h"

#include <algorithm>
#include <array>

namespace sallyport::policy {
namespace {

constexpr std::array<std::string_view, 2> kProtections{"encrypted", "signed"};
constexpr yaml::DurationRange kPatience{std::chrono::seconds(1), std::chrono::minutes(5)};

bool is_host(std::string_view host) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  };
  return !host.empty() && std::ranges::all_of(host, fits) && !host.starts_with('.');
}

// One name as shares and directories have them.
bool is_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && !name.ends_with('.') && !name.ends_with(' ') &&
         !has_control(name) && name.find_first_of("\\/:*?\"<>|") == std::string_view::npos;
}

bool is_directory(std::string_view path) {
  while (!path.empty()) {
    const auto slash = std::min(path.find('/'), path.size());
    if (!is_name(path.substr(0, slash))) return false;
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return true;
}

void read_place(yaml::FieldReader& fields, SmbConnection& smb) {
  const auto host = fields.text("host", yaml::Need::required);
  smb.host = host.value_or("");
  if (host && !is_host(*host)) fields.problem("host", "bad-value", "`host` must be a name or an IPv4 address");
  smb.port = static_cast<std::uint16_t>(fields.integer("port", {1, 65535}).value_or(smb.port));
  const auto share = fields.text("share", yaml::Need::required);
  smb.share = share.value_or("");
  if (share && !is_name(*share)) fields.problem("share", "bad-value", "`share` must be the name of a share, no path");
  smb.root = read_remote_root(fields);
  if (smb.root != "." && !is_directory(smb.root))
    fields.problem("root", "bad-path", "`root` must be a directory of the share, as in `erp/exchange`");
}

void read_login(yaml::FieldReader& fields, std::string_view directory, SmbConnection& smb) {
  smb.domain = fields.text("domain").value_or("");
  const auto user = fields.text("user", yaml::Need::required);
  smb.user = user.value_or("");
  if (user && user->empty()) fields.problem("user", "bad-value", "`user` must have a name: nobody logs in as nobody");
  if (has_control(smb.user)) fields.problem("user", "bad-value", "`user` has a control character");
  if (has_control(smb.domain)) fields.problem("domain", "bad-value", "`domain` has a control character");
  smb.password = read_secret_ref(fields, "password", directory);
  if (!smb.password) fields.problem("user", "no-credentials", "give a password (`password_file`, `password_env`, ...)");
}

}  // namespace

SmbConnection read_smb(yaml::FieldReader& fields, std::string_view directory) {
  SmbConnection smb;
  read_place(fields, smb);
  read_login(fields, directory, smb);
  if (fields.choice("protection", kProtections) == "signed") smb.protection = SmbProtection::signed_only;
  smb.pool = static_cast<std::uint32_t>(fields.integer("pool", {1, 16}).value_or(smb.pool));
  smb.connect_timeout = fields.duration("connect_timeout", kPatience).value_or(smb.connect_timeout);
  smb.answer_timeout = fields.duration("answer_timeout", kPatience).value_or(smb.answer_timeout);
  return smb;
}

}  // namespace sallyport::policy
