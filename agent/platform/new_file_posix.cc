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

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

}  // namespace

NewFile::NewFile(Fd directory, Fd file, std::string temporary, std::string final_name)
    : directory_(std::move(directory)),
      file_(std::move(file)),
      temporary_(std::move(temporary)),
      name_(std::move(final_name)) {}

NewFile::~NewFile() {
  if (directory_ && !committed_) ::unlinkat(directory_.get(), temporary_.c_str(), 0);
}

Result<NewFile> Root::create(std::string_view path, unsigned mode, std::string_view maker) const {
  SP_TRY(auto where, place(path));
  SP_TRY(auto temporary, temporary_name(where.name, maker));
  // The directory was resolved under confinement and the name has no slash: this cannot leave the root either.
  Fd file(
      ::openat(where.directory.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!file) return os_fail(fmt::format("creating {}", path));
  return NewFile(std::move(where.directory), std::move(file), std::move(temporary), std::move(where.name));
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

Result<FileFacts> NewFile::commit(Replace replace) {
  if (::fsync(file_.get()) != 0) return os_fail("making " + name_ + " durable");
  SP_TRY(auto facts, facts_of(file_.get()));
  const int at = directory_.get();
  SP_CHECK(rename_at({at, temporary_}, {at, name_}, replace, "giving " + name_ + " its name"));
  committed_ = true;
  if (::fsync(directory_.get()) != 0) return os_fail("making " + name_ + " durable");
  return facts;
}

}  // namespace sallyport::platform
