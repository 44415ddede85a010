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
}

Result<std::string> read_text_file(const std::string& path, std::size_t limit) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return os_fail("reading " + path);
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return os_fail("reading " + path);
  if (!S_ISREG(info.st_mode)) return fail(Errc::invalid, path + " is not a regular file");
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
