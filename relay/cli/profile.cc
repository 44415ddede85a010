#include "relay/cli/profile.h"

#include "relay/cli/relay_address.h"
#include "relay/cli/token_input.h"
#include "shared/base/json.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace sallyport::cli {
namespace {

constexpr std::size_t kMaxFile = 1u << 20;

Result<std::filesystem::path> login_file(const Context& context) {
  if (const auto base = context.environment("XDG_CONFIG_HOME"); !base.empty())
    return std::filesystem::path(base) / "sallyport" / "login.json";
  const auto home = context.environment("HOME");
  if (home.empty()) return fail(Errc::invalid, "neither XDG_CONFIG_HOME nor HOME is set");
  return std::filesystem::path(home) / ".config" / "sallyport" / "login.json";
}

Result<Value> read_login(const std::filesystem::path& file) {
  struct stat facts{};
  if (::stat(file.c_str(), &facts) != 0) return Value(ValueMap{});
  if ((facts.st_mode & 077) != 0) {
    return fail(Errc::forbidden,
                fmt::format("{0} holds a token and others can read it; run: chmod 600 {0}", file.string()));
  }
  SP_TRY(auto text, read_file(file.string(), kMaxFile));
  auto login = parse_json(text);
  wipe(text.data(), text.size());
  if (!login) return in_context(file.string(), login.error());
  return login;
}

std::string member_of(const Value& login, std::string_view name) {
  const Value* member = login.find(name);
  return member != nullptr && member->is(Value::Kind::string) ? member->as_string() : std::string();
}

// The relay's address out of the first place that names one; "" when none does.
Result<std::string> address_of(const Context& context, const Value& login) {
  const std::array<std::pair<std::string_view, std::string>, 3> places{
      {{"--relay", context.relay_option},
       {"SALLYPORT_RELAY", context.environment("SALLYPORT_RELAY")},
       {"the login's relay", member_of(login, "relay")}}};
  for (const auto& [place, text] : places) {
    if (text.empty()) continue;
    auto address = relay_address(text);
    if (!address) return fail(Errc::invalid, fmt::format("{} {}", place, address.error().message));
    return address;
  }
  return std::string();
}

std::string other_relay(std::string_view asked, std::string_view of_login) {
  return fmt::format(
      "the login on this machine is for {1}, and its token goes nowhere else; for {0} set SALLYPORT_TOKEN, or run: "
      "sallyport login --relay {0} --root root.pem < TOKEN-FILE",
      asked, of_login);
}

}  // namespace

Result<std::string> read_root(const std::string& path) {
  SP_TRY(auto pem, read_file(path, kMaxFile));
  if (pem.find("-----BEGIN CERTIFICATE-----") == std::string::npos)
    return fail(Errc::invalid, fmt::format("{} holds no certificate", path));
  return pem;
}

Result<Endpoint> load_endpoint(const Context& context) {
  SP_TRY(const auto file, login_file(context));
  SP_TRY(const auto login, read_login(file));
  Endpoint endpoint;
  SP_TRY(endpoint.url, address_of(context, login));
  SP_TRY(endpoint.token, token_of(context.environment("SALLYPORT_TOKEN"), "SALLYPORT_TOKEN"));
  const auto of_login = member_of(login, "relay");
  if (endpoint.token.empty() && endpoint.url == of_login) endpoint.token = Secret::take(member_of(login, "token"));
  endpoint.root_pem = member_of(login, "root");
  if (const auto root = context.environment("SALLYPORT_ROOT"); !root.empty()) {
    auto pem = read_root(root);
    if (!pem) return in_context("SALLYPORT_ROOT", std::move(pem).error());
    endpoint.root_pem = *std::move(pem);
  }
  if (endpoint.token.empty() && !of_login.empty())
    return fail(Errc::unauthenticated, other_relay(endpoint.url, of_login));
  if (endpoint.url.empty() || endpoint.token.empty() || endpoint.root_pem.empty()) {
    return fail(Errc::unauthenticated,
                "not logged in; run: sallyport login --relay https://HOST:PORT --root root.pem < TOKEN-FILE");
  }
  return endpoint;
}

Result<std::string> save_login(const Context& context, const Endpoint& endpoint) {
  SP_TRY(const auto file, login_file(context));
  std::error_code ignored;
  std::filesystem::create_directories(file.parent_path(), ignored);
  std::string text = to_json(Value(ValueMap{{Value("relay"), Value(endpoint.url)},
                                            {Value("root"), Value(endpoint.root_pem)},
                                            {Value("token"), Value(endpoint.token.reveal())}}));
  const auto temporary = file.string() + ".new";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool written = fd >= 0 && ::fchmod(fd, 0600) == 0 &&
                       ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::rename(temporary.c_str(), file.c_str()) == 0;
  const int problem = errno;
  if (fd >= 0) ::close(fd);
  wipe(text.data(), text.size());
  if (!written) {
    return fail(Errc::invalid, fmt::format("cannot write {}: {}", file.string(), std::strerror(problem)));
  }
  return file.string();
}

Result<void> forget_login(const Context& context) {
  SP_TRY(const auto file, login_file(context));
  std::error_code problem;
  std::filesystem::remove(file, problem);
  if (problem) return fail(Errc::invalid, fmt::format("cannot remove {}: {}", file.string(), problem.message()));
  return {};
}

}  // namespace sallyport::cli
