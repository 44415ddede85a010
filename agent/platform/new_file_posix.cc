#include "agent/platform/beneath.h"
#include "agent/platform/os_error.h"
#include "agent/platform/rename_posix.h"

#include <fmt/format.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace sallyport::platform {
namespace {

constexpr std::size_t kMaxMaker = 16;

std::string partial_prefix(std::string_view final_name, std::string_view maker) {
  return fmt::format(".{}.partial-{}-", final_name.substr(0, 190), maker.substr(0, kMaxMaker));
}

// Unlike the maker the rest is never the same twice: a run that was given up and still writes cannot publish the half
// of another one.
Result<std::string> temporary_name(std::string_view final_name, std::string_view maker) {
  std::array<std::byte, 8> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    return os_fail("reading random bytes");
  auto name = partial_prefix(final_name, maker);
  for (auto byte : random) name += fmt::format("{:02x}", static_cast<unsigned>(byte));
  return name;
}

std::string own_path(const Fd& file) { return fmt::format("/proc/self/fd/{}", file.get()); }

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

}  // namespace

NewFile::NewFile(Fd directory, std::string temporary, std::string final_name)
    : directory_(std::move(directory)), temporary_(std::move(temporary)), name_(std::move(final_name)) {}

NewFile::~NewFile() {
  if (directory_ && has_temporary_name_) ::unlinkat(directory_.get(), temporary_.c_str(), 0);
}

// The directory was resolved under confinement and the names have no slash: this cannot leave the root either.
Result<void> NewFile::open(unsigned mode) {
  const int at = directory_.get();
  file_ = Fd(::openat(at, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, mode));
  if (file_ && ::access(own_path(file_).c_str(), F_OK) == 0) return {};
  file_ = Fd(::openat(at, temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!file_) return os_fail("creating " + name_);
  has_temporary_name_ = true;
  return {};
}

Result<NewFile> Root::create(std::string_view path, unsigned mode, std::string_view maker) const {
  SP_TRY(auto where, place(path));
  SP_TRY(auto temporary, temporary_name(where.name, maker));
  NewFile file(std::move(where.directory), std::move(temporary), std::move(where.name));
  SP_CHECK(file.open(mode));
  return file;
}

Result<void> Root::discard_partials(std::string_view path, std::string_view maker) const {
  SP_TRY(auto where, place(path));
  const auto prefix = partial_prefix(where.name, maker);
  const int at = where.directory.get();
  const std::unique_ptr<DIR, CloseDirectory> directory(::fdopendir(at));
  if (!directory) return os_fail(fmt::format("looking for what is left of {}", path));
  (void)where.directory.release();
  while (const auto* entry = ::readdir(directory.get())) {
    if (std::string_view(entry->d_name).starts_with(prefix)) ::unlinkat(at, entry->d_name, 0);
  }
  return {};
}

Result<void> NewFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(file_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return os_fail("writing " + name_);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> NewFile::give_temporary_name() {
  if (has_temporary_name_) return {};
  const auto unnamed = own_path(file_);
  if (::linkat(AT_FDCWD, unnamed.c_str(), directory_.get(), temporary_.c_str(), AT_SYMLINK_FOLLOW) != 0)
    return os_fail("giving " + name_ + " its name");
  has_temporary_name_ = true;
  return {};
}

// Renamed and never linked under its final name, so that whoever watches the directory is told that it is complete.
Change<FileFacts> NewFile::commit(Replace replace) {
  const auto durable = "making " + name_ + " durable";
  if (::fsync(file_.get()) != 0) return unchanged(Result<FileFacts>(os_fail(durable)));
  SP_TRY(auto facts, unchanged(facts_of(file_.get())));
  SP_CHECK(unchanged(give_temporary_name()));
  const int at = directory_.get();
  SP_CHECK(rename_at({at, temporary_}, {at, name_}, replace, "giving " + name_ + " its name"));
  has_temporary_name_ = false;
  SP_CHECK(settled(sync_directory(at, durable)));
  return facts;
}

}  // namespace sallyport::platform
