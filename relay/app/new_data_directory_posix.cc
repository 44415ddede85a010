#include "relay/app/new_data_directory.h"

#include "relay/app/data_owner.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace sallyport::app {
namespace {

namespace fs = std::filesystem;

constexpr auto kBuilding = ".init";
constexpr auto kSettings = "relay.yaml";
constexpr auto kLost = "lost+found";
// What a relay is made of besides relay.yaml, in the order in which it is put into its place.
constexpr std::array kParts{"keys", "deployment", "relay.db", "clock", "first-owner.token"};

std::unexpected<Error> failed(std::string_view what, const fs::path& path) {
  return fail(Errc::unavailable, fmt::format("{} {}: {}", what, path.string(), std::generic_category().message(errno)));
}

Result<void> make_private(const fs::path& path) {
  std::error_code problem;
  fs::create_directories(path, problem);
  if (!problem) fs::permissions(path, fs::perms::owner_all, problem);
  if (problem) return fail(Errc::unavailable, fmt::format("making {}: {}", path.string(), problem.message()));
  return {};
}

Result<void> sync(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = fd >= 0 && ::fsync(fd) == 0;
  if (fd >= 0) ::close(fd);
  return synced ? Result<void>() : failed("syncing", path);
}

Result<void> refuse_relay(const fs::path& root) {
  if (fs::exists(root / kSettings)) {
    const auto token = root / "first-owner.token";
    return fail(Errc::conflict,
                fmt::format("{} holds a relay already; nothing was changed{}", root.string(),
                            fs::exists(token) ? "; its first owner's token is still in " + token.string() : ""));
  }
  return {};
}

// Parts without relay.yaml are the remains of an unfinished init, or something that nobody should remove.
Result<void> refuse_strangers(const fs::path& root) {
  if (fs::exists(root / kBuilding)) return {};
  for (const auto* part : kParts) {
    if (fs::exists(root / part)) {
      return fail(Errc::conflict, fmt::format("{} holds {} but no {}; nothing was changed: choose another directory, "
                                              "or put the missing file back",
                                              root.string(), part, kSettings));
    }
  }
  return {};
}

// A folder of something else is not made private, nor a relay's. What mkfs makes does not count.
Result<void> refuse_others(const DataDirectory& data) {
  const auto& root = data.root;
  const auto lock = data.lock().filename().string();
  std::error_code problem;
  if (fs::exists(root / kBuilding, problem) || !fs::exists(root, problem)) return {};
  if (!fs::is_directory(root, problem)) return fail(Errc::conflict, fmt::format("{} is no directory", root.string()));
  for (fs::directory_iterator at(root, problem), end; !problem && at != end; at.increment(problem)) {
    const auto name = at->path().filename().string();
    if (name == kLost || name == lock) continue;
    return fail(Errc::conflict, fmt::format("{} is not empty (there is {} in it); nothing was changed: choose a "
                                            "directory that is empty, or that is not there yet",
                                            root.string(), name));
  }
  if (problem) return fail(Errc::unavailable, fmt::format("looking into {}: {}", root.string(), problem.message()));
  return {};
}

void clear(const fs::path& root) {
  std::error_code ignored;
  for (const auto* part : kParts) fs::remove_all(root / part, ignored);
  for (fs::directory_iterator left(root / kBuilding, ignored), end; left != end; left.increment(ignored))
    fs::remove_all(left->path(), ignored);
}

Result<void> move(const fs::path& from, const fs::path& to, const char* name) {
  if (::rename((from / name).c_str(), (to / name).c_str()) != 0) return failed("moving into place", to / name);
  return {};
}

}  // namespace

NewDataDirectory::NewDataDirectory(DataDirectory target, DataLock lock)
    : target_(std::move(target)), building_{target_.root / kBuilding}, lock_(std::move(lock)) {}

NewDataDirectory::NewDataDirectory(NewDataDirectory&& other) noexcept
    : target_(std::move(other.target_)), building_(std::move(other.building_)), lock_(std::move(other.lock_)) {
  other.lock_.reset();
}

NewDataDirectory::~NewDataDirectory() {
  if (!lock_) return;
  clear(target_.root);
  std::error_code ignored;
  fs::remove(building_.root, ignored);
}

Result<NewDataDirectory> NewDataDirectory::begin(const DataDirectory& target) {
  SP_CHECK(refuse_relay(target.root));
  SP_CHECK(refuse_strangers(target.root));
  SP_CHECK(refuse_others(target));
  SP_CHECK(check_owner(target));
  SP_CHECK(make_private(target.root));
  SP_TRY(auto lock, DataLock::take(target));
  SP_CHECK(refuse_relay(target.root));  // somebody may have finished since the first look
  SP_CHECK(refuse_strangers(target.root));
  const auto building = target.root / kBuilding;
  if (::mkdir(building.c_str(), 0700) != 0 && errno != EEXIST) return failed("making", building);
  clear(target.root);
  return NewDataDirectory(target, std::move(lock));
}

Result<void> NewDataDirectory::finish() {
  SP_CHECK(sync(building_.root / kSettings));
  for (const auto* part : kParts) SP_CHECK(move(building_.root, target_.root, part));
  SP_CHECK(sync(target_.root));
  SP_CHECK(move(building_.root, target_.root, kSettings));
  ::rmdir(building_.root.c_str());
  lock_.reset();
  return sync(target_.root);
}

}  // namespace sallyport::app
