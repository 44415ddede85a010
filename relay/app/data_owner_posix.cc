#include "relay/app/data_owner.h"

#include <fmt/format.h>

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <system_error>

namespace sallyport::app {
namespace {

constexpr std::size_t kRecord = 16u << 10;  // of the user database

std::optional<std::string> name_of(uid_t user) {
  std::array<char, kRecord> text{};
  passwd record{};
  passwd* found = nullptr;
  if (::getpwuid_r(user, &record, text.data(), text.size(), &found) != 0 || found == nullptr) return std::nullopt;
  return std::string(record.pw_name);
}

Result<void> check_one(const std::filesystem::path& directory) {
  struct stat facts{};
  if (::stat(directory.c_str(), &facts) != 0) {
    if (errno == ENOENT) return {};
    const auto why = std::generic_category().message(errno);
    return fail(Errc::unavailable, fmt::format("looking at {}: {}", directory.string(), why));
  }
  if (facts.st_uid == ::geteuid()) return {};
  const auto name = name_of(facts.st_uid);
  return fail(Errc::forbidden,
              fmt::format("{} belongs to {}, who could not read what is made here now; nothing was changed: run this "
                          "as that user (sudo -u {} ...)",
                          directory.string(), name ? *name : fmt::format("the user with the number {}", facts.st_uid),
                          name ? *name : fmt::format("'#{}'", facts.st_uid)));
}

}  // namespace

Result<void> check_owner(const DataDirectory& data) {
  SP_CHECK(check_one(data.root));
  return check_one(data.deployment());
}

Result<void> expect_relay(const DataDirectory& data) {
  std::error_code problem;
  if (std::filesystem::exists(data.settings(), problem)) return {};
  if (!problem) return fail(Errc::not_found, fmt::format("{} holds no relay", data.root.string()));
  const bool shut = problem == std::errc::permission_denied;
  return fail(shut ? Errc::forbidden : Errc::unavailable,
              fmt::format("looking into {}: {}{}", data.root.string(), problem.message(),
                          shut ? "; run this as the user that the data directory belongs to" : ""));
}

}  // namespace sallyport::app
