#include "relay/app/log_files.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>

namespace sallyport::app {

namespace asio = boost::asio;

namespace {

using Hour = std::chrono::sys_time<std::chrono::hours>;

constexpr std::string_view kPrefix = "relay-";
constexpr std::string_view kSuffix = ".jsonl";
constexpr std::chrono::seconds kPause{60};

Hour hour_of(WallTime at) { return std::chrono::floor<std::chrono::hours>(at); }

std::string name_of(Hour hour) { return fmt::format("{}{:%Y%m%dT%H}{}", kPrefix, hour, kSuffix); }

int digits(std::string_view text) {
  int number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  return problem == std::errc() && end == text.data() + text.size() ? number : -1;
}

// The hour of one of our files; nothing: it is none.
std::optional<Hour> hour_in(std::string_view name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return std::nullopt;
  const auto stamp = name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
  if (stamp.size() != 11) return std::nullopt;
  const std::chrono::year_month_day day{std::chrono::year(digits(stamp.substr(0, 4))),
                                        std::chrono::month(static_cast<unsigned>(digits(stamp.substr(4, 2)))),
                                        std::chrono::day(static_cast<unsigned>(digits(stamp.substr(6, 2))))};
  if (!day.ok()) return std::nullopt;
  const Hour hour = std::chrono::sys_days(day) + std::chrono::hours(digits(stamp.substr(9, 2)));
  return name_of(hour) == name ? std::optional(hour) : std::nullopt;
}

Error system_error(const std::filesystem::path& path) {
  return {Errc::unavailable, fmt::format("{}: {}", path.string(), std::strerror(errno))};
}

}  // namespace

LogFiles::LogFiles(Config config, const Clock& clock, LogSink& complaints)
    : config_(std::move(config)), clock_(clock), complaints_(complaints) {}

LogFiles::~LogFiles() { close(); }

void LogFiles::close() {
  if (file_ >= 0) ::close(file_);
  file_ = -1;
}

void LogFiles::write(std::string_view line) {
  if (!be_at(std::max(least_, hour_of(clock_.wall())))) return;
  tell_dropped();
  if (auto taken = put(line); !taken) drop(taken.error().message);
}

bool LogFiles::be_at(Hour hour) {
  if (file_ >= 0 && hour == hour_) return true;
  if (hour != hour_) complained_ = false;
  if (auto opened = open(hour); !opened) {
    drop(opened.error().message);
    return false;
  }
  return true;
}

Result<void> LogFiles::open(Hour hour) {
  close();
  hour_ = hour;
  if (::mkdir(config_.folder.c_str(), 0700) != 0 && errno != EEXIST)
    return std::unexpected(system_error(config_.folder));
  const auto path = config_.folder / name_of(hour);
  file_ = ::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  struct stat facts{};
  if (file_ < 0 || ::fstat(file_, &facts) != 0) {
    const auto why = system_error(path);
    close();
    return std::unexpected(why);
  }
  size_ = static_cast<std::uint64_t>(facts.st_size);
  char last = '\n';  // a crash may have left half a line
  if (size_ > 0 && ::pread(file_, &last, 1, facts.st_size - 1) == 1 && last != '\n') return put("");
  return {};
}

// Whole lines only: what the disk took of one that it does not take is taken back.
Result<void> LogFiles::put(std::string_view line) {
  if (size_ + line.size() + 1 > config_.most_per_hour)
    return fail(Errc::exhausted, fmt::format("this hour's file has its {} bytes", config_.most_per_hour));
  std::string with_end(line);
  with_end += '\n';
  const auto written = ::write(file_, with_end.data(), with_end.size());
  if (written == static_cast<ssize_t>(with_end.size())) {
    size_ += with_end.size();
    return {};
  }
  if (written > 0) errno = ENOSPC;
  const auto why = system_error(config_.folder);
  if (written > 0 && ::ftruncate(file_, static_cast<off_t>(size_)) != 0) close();
  return std::unexpected(why);
}

void LogFiles::drop(std::string_view why) {
  ++dropped_;
  ++untold_;
  if (std::exchange(complained_, true)) return;
  Log(complaints_, clock_).error("log.not_written", {{"path", config_.folder.string()}, {"reason", why}});
}

// Leaves room for itself: the cap is looked at like for any other line, so it is told in the next hour at the latest.
void LogFiles::tell_dropped() {
  if (untold_ == 0) return;
  std::string line;
  struct Kept final : LogSink {
    explicit Kept(std::string& to) : text(to) {}
    void write(std::string_view one) override { text = one; }
    std::string& text;
  } kept(line);
  Log(kept, clock_).warn("log.dropped", {{"count", untold_}});
  if (put(line)) untold_ = 0;
}

Result<std::size_t> LogFiles::expire(WallTime now, domain::Hours kept) {
  least_ = std::max(least_, hour_of(now));
  std::error_code problem;
  std::size_t gone = 0;
  for (std::filesystem::directory_iterator one(config_.folder, problem), end; !problem && one != end;
       one.increment(problem)) {
    const auto hour = hour_in(one->path().filename().string());
    if (!hour || *hour + std::chrono::hours(1) + kept > now) continue;
    if (*hour == hour_) close();
    if (::unlink(one->path().c_str()) != 0 && errno != ENOENT) return std::unexpected(system_error(one->path()));
    ++gone;
  }
  if (problem && problem != std::errc::no_such_file_or_directory)
    return fail(Errc::unavailable, fmt::format("{}: {}", config_.folder.string(), problem.message()));
  return gone;
}

asio::awaitable<void> keep_logs_in_time(LogKeeping with) {
  auto& dropped = with.metrics.gauge("sallyport_log_lines_dropped", "Lines that the log's files did not take.");
  asio::steady_timer pause(co_await asio::this_coro::executor);
  for (;;) {
    if (const auto now = with.believed()) {
      const auto kept = co_await with.kept();
      const auto gone = kept ? with.files.expire(*now, *kept) : std::unexpected(kept.error());
      if (!gone) with.log.error("log.not_removed", {{"reason", gone.error().message}});
      if (gone && *gone > 0) with.log.info("log.removed", {{"count", *gone}});
    }
    dropped.set(static_cast<std::int64_t>(with.files.dropped()));
    pause.expires_after(kPause);
    co_await pause.async_wait(asio::use_awaitable);
  }
}

}  // namespace sallyport::app
