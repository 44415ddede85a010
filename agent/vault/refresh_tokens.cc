#include "agent/vault/refresh_tokens.h"

#include "agent/platform/secret_file.h"
#include "shared/base/text.h"
#include "shared/crypto/aead.h"
#include "shared/crypto/random.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <optional>
#include <vector>

namespace sallyport::vault {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kFormat = "sallyport-refresh-token 1 ";
constexpr std::string_view kPrefix = "refresh-token-";
constexpr std::string_view kLock = ".lock";

// "sallyport-refresh-token 1 AUTHORIZATION SEALED", the first a number, the second in base64url.
struct Record {
  std::uint64_t authorization = 0;
  Bytes sealed;
};

std::optional<Record> parse_record(std::string_view text) {
  if (!text.starts_with(kFormat)) return std::nullopt;
  text.remove_prefix(kFormat.size());
  Record record;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [stop, problem] = std::from_chars(begin, end, record.authorization);
  if (problem != std::errc() || stop == end || *stop != ' ' || record.authorization == 0) return std::nullopt;
  auto sealed = from_base64url(std::string_view(stop + 1, end));
  if (!sealed) return std::nullopt;
  record.sealed = *std::move(sealed);
  return record;
}

Result<Record> read_record(const std::string& path) {
  SP_TRY(const auto text, platform::read_secret_file(path));
  auto record = parse_record(text.reveal());
  if (record) return *std::move(record);
  return fail(Errc::not_found, path + " is damaged");
}

std::string bound_to(const TokenHome& home, std::uint64_t authorization) {
  const auto number = std::to_string(authorization);
  std::string bound;
  for (const std::string_view part : {std::string_view(home.connection), std::string_view(home.token_url),
                                      std::string_view(home.client_id), std::string_view(number)})
    bound += fmt::format("{}:{}", part.size(), part);
  return bound;
}

Result<Secret> local_key(const std::string& state_dir) {
  const auto path = state_dir + "/local.key";
  auto key = platform::read_secret_file(path, crypto::kAeadKeySize + 1);
  if (!key && key.error().code == Errc::not_found)
    return fail(Errc::not_found, path + " is not there: start the agent once, which makes it");
  if (!key) return std::unexpected(std::move(key).error());
  return crypto::hkdf_sha256(*key, {}, as_bytes("sallyport refresh tokens 1"), crypto::kAeadKeySize);
}

std::uint64_t new_number() {
  std::uint64_t number = 0;
  while (number == 0) crypto::fill_random(std::as_writable_bytes(std::span(&number, 1)));
  return number;
}

Result<void> remove_file(const std::string& path) {
  std::error_code why;
  fs::remove(path, why);
  if (why) return fail(Errc::internal, fmt::format("removing {}: {}", path, why.message()));
  return {};
}

}  // namespace

Result<Secret> RefreshTokens::Held::read() const {
  SP_TRY(const auto record, read_record(path_));
  auto token = crypto::open(key_, record.sealed, as_bytes(bound_to(home_, record.authorization)));
  if (token) return token;
  return fail(Errc::not_found, path_ + " is of another token endpoint or client, or was edited");
}

Result<void> RefreshTokens::Held::write(std::uint64_t authorization, const Secret& token) const {
  SP_TRY(const auto sealed, crypto::seal(key_, as_bytes(token.reveal()), as_bytes(bound_to(home_, authorization))));
  return platform::write_secret_file(path_, fmt::format("{}{} {}", kFormat, authorization, base64url(sealed)));
}

Result<void> RefreshTokens::Held::begin(const Secret& token) const { return write(new_number(), token); }

Result<void> RefreshTokens::Held::replace(const Secret& token) const {
  SP_TRY(const auto present, read_record(path_));
  return write(present.authorization, token);
}

Result<void> RefreshTokens::Held::forget() const { return remove_file(path_); }

std::string RefreshTokens::path_of(const std::string& connection) const {
  return fmt::format("{}/{}{}", state_dir_, kPrefix, connection);
}

Result<RefreshTokens::Held> RefreshTokens::hold(TokenHome home, SteadyTime deadline,
                                                const std::stop_token& stop) const {
  SP_TRY(auto key, local_key(state_dir_));
  auto path = path_of(home.connection);
  SP_TRY(auto lock, platform::FileLock::take(path + std::string(kLock), deadline, stop));
  return Held(std::move(path), std::move(home), std::move(key), std::move(lock));
}

std::uint64_t RefreshTokens::authorization_of(const std::string& connection) const {
  const auto record = read_record(path_of(connection));
  return record ? record->authorization : 0;
}

Result<void> RefreshTokens::forget_all() const {
  std::error_code why;
  std::vector<std::string> paths;
  for (const auto& entry : fs::directory_iterator(state_dir_, why)) {
    const auto name = entry.path().filename().string();
    if (name.starts_with(kPrefix) && !name.ends_with(kLock)) paths.push_back(entry.path().string());
  }
  if (why) return fail(Errc::internal, fmt::format("reading {}: {}", state_dir_, why.message()));
  for (const auto& path : paths) SP_CHECK(remove_file(path));
  return {};
}

}  // namespace sallyport::vault
