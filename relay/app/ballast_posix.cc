#include "relay/app/ballast.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace sallyport::app {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kMiB = 1u << 20;
constexpr std::uintmax_t kProbe = kMiB;     // less than that is left: full
constexpr std::uintmax_t kLent = 2 * kMiB;  // more than the logs' indexes and the first rows need

// Blocks of its own, so that they are there when they are needed. The errno; 0: done. What was there before stays.
int take_space(const fs::path& file, std::uintmax_t size) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return errno;
  struct stat before{};
  int problem = ::fstat(fd, &before) == 0 ? ::posix_fallocate(fd, 0, static_cast<off_t>(size)) : errno;
  if (problem != 0 && before.st_size > 0 && ::ftruncate(fd, before.st_size) != 0) problem = errno;
  ::close(fd);
  if (problem != 0 && before.st_size == 0) ::unlink(file.c_str());
  return problem;
}

// Asks for space instead of counting it: quotas count, too.
bool is_full(const fs::path& folder) {
  const auto probe = folder / ".room";
  const int problem = take_space(probe, kProbe);
  ::unlink(probe.c_str());
  return problem == ENOSPC || problem == EDQUOT;
}

std::uintmax_t size_or_nothing(const fs::path& file) {
  std::error_code problem;
  const auto size = fs::file_size(file, problem);
  return problem ? 0 : size;
}

bool has_room(const fs::path& folder, std::uintmax_t size) {
  struct statvfs facts{};
  return ::statvfs(folder.c_str(), &facts) == 0 && facts.f_bavail * facts.f_frsize >= size;
}

}  // namespace

std::vector<Ballast::Place> Ballast::places_of(const DataDirectory& data) {
  return {{"keys", data.key_database(), 4 * kMiB, 64 * kMiB}, {"data", data.database(), 20 * kMiB, 20 * kMiB}};
}

bool Ballast::lend(const std::vector<Place>& places, const Log& log) {
  bool lent = false;
  for (const auto& place : places) {
    const auto file = file_of(place.database);
    const auto held = size_or_nothing(file);
    if (held < place.least / 2 + kLent || !is_full(place.database.parent_path())) continue;
    std::error_code problem;
    fs::resize_file(file, held - kLent, problem);
    log.error("disk.full", {{"path", place.database.parent_path().string()}, {"released", !problem}});
    lent |= !problem;
  }
  return lent;
}

Ballast::Ballast(std::vector<Place> places, const Log& log, Metrics& metrics)
    : places_(std::move(places)), log_(log), metrics_(metrics) {
  refill();
  for (const auto& place : places_) tell(place, size_or_nothing(file_of(place.database)) < place.least);
}

bool Ballast::release() {
  bool released = false;
  for (const auto& place : places_) {
    if (!is_full(place.database.parent_path())) continue;
    const bool held = ::unlink(file_of(place.database).c_str()) == 0;
    released |= held;
    log_.error("disk.full", {{"path", place.database.parent_path().string()}, {"released", held}});
    tell(place, true);
  }
  return released;
}

void Ballast::refill() {
  for (const auto& place : places_) {
    const auto file = file_of(place.database);
    const auto size = std::clamp(size_or_nothing(place.database), place.least, place.most);
    const auto held = size_or_nothing(file);
    if (held >= size) continue;
    if (!has_room(place.database.parent_path(), 2 * (size - held)) || take_space(file, size) != 0) continue;
    if (held < place.least) log_.info("disk.has_room", {{"path", place.database.parent_path().string()}});
    tell(place, false);
  }
}

void Ballast::tell(const Place& place, bool full) {
  metrics_
      .gauge("sallyport_disk_full", "1 while a disk of the relay is full and what was held back on it is in use.",
             {{"disk", place.name}})
      .set(full ? 1 : 0);
}

}  // namespace sallyport::app
