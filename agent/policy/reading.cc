#include "agent/policy/reading.h"

#include "shared/sealing/credentials.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>

namespace sallyport::policy {
namespace {

using Source = vault::SecretRef::Source;

struct SizeUnit {
  std::string_view name;
  int shift;
};
constexpr std::array kSizeUnits{SizeUnit{"", 0}, SizeUnit{"KiB", 10}, SizeUnit{"MiB", 20}, SizeUnit{"GiB", 30},
                                SizeUnit{"TiB", 40}};

bool is_host(std::string_view host) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_' || c == ':' || c == '%';
  };
  return !host.empty() && host.size() <= 253 && std::ranges::all_of(host, fits);
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc()) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const auto it = std::ranges::find(kSizeUnits, unit, &SizeUnit::name);
  if (it == kSizeUnits.end() || number > (UINT64_MAX >> it->shift)) return std::nullopt;
  return number << it->shift;
}

std::string resolve_path(std::string_view path, std::string_view directory) {
  std::error_code problem;
  const auto base = std::filesystem::absolute(std::filesystem::path(directory), problem);
  return (base / std::filesystem::path(path)).lexically_normal().string();
}

std::optional<std::uint64_t> read_size(yaml::FieldReader& fields, std::string_view name, SizeRange range) {
  const auto* node = fields.any(name);
  if (node == nullptr) return std::nullopt;
  const auto size = node->is_scalar() ? parse_size(node->text) : std::nullopt;
  if (!size) {
    fields.problem(name, "bad-size",
                   fmt::format("`{}` must be a size: a number of bytes, or 64KiB, 10MiB, 1GiB", name));
    return std::nullopt;
  }
  if (*size < range.min || *size > range.max) {
    fields.problem(name, "out-of-range",
                   fmt::format("`{}` must be between {} and {} bytes", name, range.min, range.max));
    return std::nullopt;
  }
  return size;
}

vault::SecretRef read_local_secret_ref(yaml::FieldReader& fields, const std::string& key, std::string_view directory) {
  if (fields.any(key) != nullptr) {
    fields.problem(key, "inline-secret",
                   fmt::format("a secret must not stand in this file, which is copied and backed up: write it to a "
                               "file with mode 0600 and name that "
                               "in `{0}_file`, or name an environment variable in `{0}_env`",
                               key));
  }
  const auto file = fields.text(key + "_file");
  const auto variable = fields.text(key + "_env");
  if (file && variable)
    fields.problem(key + "_env", "both-sources", fmt::format("give either `{0}_file` or `{0}_env`", key));
  if (file) return {Source::file, resolve_path(*file, directory)};
  if (variable) return {Source::environment, *variable};
  return {};
}

vault::SecretRef read_secret_ref(yaml::FieldReader& fields, const std::string& key, std::string_view directory) {
  auto local = read_local_secret_ref(fields, key, directory);
  const auto system_key = key + "_system_key";
  const auto named = fields.text(system_key);
  if (!named) return local;
  if (local) {
    fields.problem(system_key, "both-sources",
                   fmt::format("give one of `{0}_file`, `{0}_env` and `{0}_system_key`", key));
  }
  const auto where = named->contains('/') ? *named : *named + "/password";
  const auto [name, value] = vault::split_system_key(where);
  if (!sealing::is_key_name(name) || !sealing::is_key_name(value)) {
    fields.problem(system_key, "bad-name",
                   fmt::format("`{}` must be the name of a system key, or name/value: lower-case letters, digits and "
                               "inner hyphens, a letter first, at most 64",
                               system_key));
  }
  return {Source::system_key, where};
}

ClientCertificate read_client_certificate(yaml::FieldReader& fields, std::string_view directory) {
  ClientCertificate shown;
  const auto file = fields.text("client_certificate_file");
  if (file) shown.file = resolve_path(*file, directory);
  shown.key = read_secret_ref(fields, "client_key", directory);
  if (file.has_value() != static_cast<bool>(shown.key))
    fields.problem("client_certificate_file", "missing-field", "a client certificate and its key need each other");
  return shown;
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return c < ' ' || c == 0x7f; });
}

std::string read_remote_root(yaml::FieldReader& fields) {
  auto root = fields.text("root").value_or(".");
  while (root.size() > 1 && root.ends_with('/')) root.pop_back();
  if (root.empty() || has_control(root))
    fields.problem("root", "bad-path",
                   "`root` must be a directory on the server; leave it out for where the login leads");
  return root;
}

bool is_config_name(std::string_view name) {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto fits = [&](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_'; };
  return !name.empty() && name.size() <= 63 && is_letter(name.front()) && std::ranges::all_of(name, fits);
}

void check_name(yaml::Report& report, const yaml::Member& member, std::string_view what) {
  if (is_config_name(member.key)) return;
  report.add(
      member.at, "bad-name",
      fmt::format("{} is no name for a {}: use lower-case letters, digits, `-` and `_`, a letter first, at most 63",
                  yaml::quoted(member.key), what));
}

std::vector<std::size_t> read_words(yaml::FieldReader& fields, std::string_view name,
                                    std::span<const std::string_view> known) {
  std::vector<std::size_t> found;
  for (const auto& word : fields.texts(name, yaml::Need::required)) {
    const auto it = std::ranges::find(known, word);
    if (it == known.end()) {
      fields.problem(name, "bad-choice",
                     fmt::format("`{}` has no {}; it takes {}{}", name, yaml::quoted(word), fmt::join(known, ", "),
                                 yaml::suggestion(word, known)));
    } else {
      found.push_back(static_cast<std::size_t>(it - known.begin()));
    }
  }
  return found;
}

bool is_this_machine(std::string_view host) { return host == "127.0.0.1" || host == "::1" || host == "localhost"; }

void read_version(yaml::FieldReader& fields) { (void)fields.integer("version", {1, 1}); }

std::optional<HostPort> parse_host_port(std::string_view text) {
  HostPort result;
  std::string_view port;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    result.host = text.substr(1, close - 1);
    port = text.substr(close + 1);
    if (!result.host.contains(':')) return std::nullopt;
  } else {
    const auto colon = text.find(':');
    result.host = text.substr(0, colon);
    if (colon != std::string_view::npos) port = text.substr(colon);
  }
  if (!is_host(result.host)) return std::nullopt;
  if (port.empty()) return result;
  const auto* const end = port.data() + port.size();
  const auto [stop, problem] = std::from_chars(port.data() + 1, end, result.port);
  if (port[0] != ':' || problem != std::errc() || stop != end || result.port == 0) return std::nullopt;
  return result;
}

}  // namespace sallyport::policy
