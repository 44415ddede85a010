#include "relay/app/data_lock.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace sallyport::app {
namespace {

constexpr std::size_t kMaxNote = 256;

std::unexpected<Error> os_fault(std::string_view doing, const std::filesystem::path& file) {
  const auto why = std::generic_category().message(errno);
  return fail(Errc::unavailable, fmt::format("{} {}: {}", doing, file.string(), why));
}

std::string content_of(int file) {
  std::array<char, kMaxNote> text{};
  const auto got = ::pread(file, text.data(), text.size(), 0);
  return {text.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
}

// The number, also as versions before this one wrote it.
std::string holder_in(const std::string& content) {
  if (const auto note = parse_lock_note(content)) return std::to_string(note->holder.number);
  const bool is_number = !content.empty() && content.find_first_not_of("0123456789") == std::string::npos;
  return is_number ? content : "unknown";
}

// A holder that cannot be told from others says its number only, and is never signalled.
std::string own_note(Reload reload) {
  const auto mark = own_mark();
  return mark ? to_text({*mark, reload}) : std::to_string(::getpid());
}

}  // namespace

DataLock::~DataLock() {
  if (file_ >= 0) ::close(file_);
}

std::optional<LockNote> DataLock::holder(const DataDirectory& data) {
  const int file = ::open(data.lock().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) return std::nullopt;
  const auto content = content_of(file);
  ::close(file);
  return parse_lock_note(content);
}

Result<DataLock> DataLock::take(const DataDirectory& data, Reload reload) {
  const auto path = data.lock();
  DataLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (lock.file_ < 0) {
    const bool shut_out = errno == EACCES || errno == EPERM;
    auto refused = os_fault("cannot open the lock", path);
    if (shut_out) refused.error().message += "; run this as the user that the data directory belongs to";
    return refused;
  }
  if (::flock(lock.file_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return os_fault("cannot lock", path);
    return fail(Errc::conflict,
                fmt::format("another process ({}) uses the data directory {}; stop it, or give this one a "
                            "directory of its own",
                            holder_in(content_of(lock.file_)), data.root.string()));
  }
  const auto note = own_note(reload);
  if (::ftruncate(lock.file_, 0) != 0 || ::pwrite(lock.file_, note.data(), note.size(), 0) < 0) {
    return os_fault("cannot write", path);
  }
  return lock;
}

}  // namespace sallyport::app
