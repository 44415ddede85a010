#include "agent/platform/beneath.h"
#include "agent/platform/os_error.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace sallyport::platform {
namespace {

Result<std::string> temporary_name(std::string_view final_name) {
  std::array<std::byte, 8> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    return os_fail("reading random bytes");
  std::string suffix = ".partial-";
  for (auto byte : random) suffix += fmt::format("{:02x}", static_cast<unsigned>(byte));
  return "." + std::string(final_name.substr(0, 200)) + suffix;
}

}  // namespace

NewFile::NewFile(Fd directory, Fd file, std::string temporary, std::string final_name)
    : directory_(std::move(directory)),
      file_(std::move(file)),
      temporary_(std::move(temporary)),
      name_(std::move(final_name)) {}

NewFile::~NewFile() {
  if (directory_ && !committed_) ::unlinkat(directory_.get(), temporary_.c_str(), 0);
}

Result<NewFile> Root::create(std::string_view path, unsigned mode) const {
  SP_TRY(auto where, place(path));
  SP_TRY(auto temporary, temporary_name(where.name));
  // The directory was resolved under confinement and the name has no slash: this cannot leave the root either.
  Fd file(
      ::openat(where.directory.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!file) return os_fail(fmt::format("creating {}", path));
  return NewFile(std::move(where.directory), std::move(file), std::move(temporary), std::move(where.name));
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
  const unsigned flags = replace == Replace::never ? RENAME_NOREPLACE : 0;
  if (::renameat2(directory_.get(), temporary_.c_str(), directory_.get(), name_.c_str(), flags) != 0) {
    return os_fail("giving " + name_ + " its name");
  }
  committed_ = true;
  if (::fsync(directory_.get()) != 0) return os_fail("making " + name_ + " durable");
  return facts;
}

}  // namespace sallyport::platform
