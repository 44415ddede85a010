#include "agent/platform/fd.h"
#include "agent/platform/file_watch.h"
#include "agent/platform/os_error.h"
#include "shared/async/timeout.h"

#include <fmt/format.h>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <sys/inotify.h>
#include <unistd.h>

#include <array>

namespace sallyport::platform {
namespace asio = boost::asio;

struct FileWatch::Impl {
  asio::posix::stream_descriptor inotify;

  asio::awaitable<Result<bool>> readable() {
    const auto [problem] =
        co_await inotify.async_wait(asio::posix::stream_descriptor::wait_read, asio::as_tuple(asio::use_awaitable));
    co_return !problem;
  }
  void forget_events() {
    std::array<std::byte, 4096> buffer;
    while (::read(inotify.native_handle(), buffer.data(), buffer.size()) > 0) {
    }
  }
};

FileWatch::FileWatch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FileWatch::~FileWatch() = default;

Result<std::unique_ptr<FileWatch>> FileWatch::open(const asio::any_io_executor& executor, int directory_fd) {
  Fd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify) return os_fail("watching a directory");
  // By descriptor, not by name: the directory was opened under confinement and may have been renamed since.
  const auto path = fmt::format("/proc/self/fd/{}", directory_fd);
  constexpr std::uint32_t kChanges = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MODIFY | IN_CREATE | IN_ATTRIB;
  if (::inotify_add_watch(inotify.get(), path.c_str(), kChanges) < 0) return os_fail("watching a directory");
  asio::posix::stream_descriptor descriptor(executor, inotify.release());
  return std::unique_ptr<FileWatch>(new FileWatch(std::make_unique<Impl>(Impl{std::move(descriptor)})));
}

asio::awaitable<void> FileWatch::wait_until(SteadyTime deadline) {
  (void)co_await with_deadline(deadline, impl_->readable());
  impl_->forget_events();
}

}  // namespace sallyport::platform
