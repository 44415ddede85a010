#include "agent/platform/text_file.h"

#include "agent/platform/beneath.h"
#include "agent/platform/fd.h"
#include "agent/platform/os_error.h"
#include "shared/base/text.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace sallyport::platform {
namespace {
constexpr std::string_view kMaker = "agent";

Result<void> check_writers(const struct stat& info, const std::string& path) {
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    return fail(Errc::forbidden,
                fmt::format("{} belongs to user id {}, who could change what this agent does; run: chown {} {}", path,
                            info.st_uid, ::geteuid(), path));
  }
  if ((info.st_mode & 022) == 0) return {};
  return fail(
      Errc::forbidden,
      fmt::format("{} can be written by {} (mode {:04o}), who could change what this agent does; run: chmod go-w {}",
                  path, (info.st_mode & 02) != 0 ? "everybody" : "its group", info.st_mode & 07777, path));
}

}  // namespace

Result<void> check_operators_folder(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return os_fail("examining " + path);
  if ((info.st_mode & S_ISVTX) != 0) info.st_mode &= ~022u;
  return check_writers(info, path);
}

Result<std::string> read_text_file(const std::string& path, std::size_t limit) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return os_fail("reading " + path);
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return os_fail("reading " + path);
  if (!S_ISREG(info.st_mode)) return fail(Errc::invalid, path + " is not a regular file");
  SP_CHECK(check_writers(info, path));
  std::error_code problem;
  const auto home = std::filesystem::canonical(path, problem).parent_path();
  if (problem) return fail(Errc::not_found, fmt::format("reading {}: {}", path, problem.message()));
  SP_CHECK(check_operators_folder(home.string()));
  if (static_cast<std::uint64_t>(info.st_size) > limit)
    return fail(Errc::too_large, fmt::format("{} is larger than {} bytes", path, limit));
  std::string text(static_cast<std::size_t>(info.st_size), '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const auto got = ::read(file.get(), text.data() + have, text.size() - have);
    if (got < 0) return os_fail("reading " + path);
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  text.resize(have);
  return text;
}

Result<void> write_file_atomically(const std::string& path, std::string_view bytes, unsigned mode) {
  const std::filesystem::path where(path);
  const auto parent = where.parent_path();
  SP_TRY(const auto root, Root::open(parent.empty() ? "." : parent.string()));
  const auto name = where.filename().string();
  SP_CHECK(root.discard_partials(name, kMaker));  // of a process that was killed here
  SP_TRY(auto file, root.create(name, mode, kMaker));
  SP_CHECK(file.write(as_bytes(bytes)));
  if (auto committed = file.commit(Replace::allowed); !committed)
    return std::unexpected(std::move(committed).error().error);
  return {};
}

}  // namespace sallyport::platform
