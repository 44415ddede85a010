#pragma once

#include "relay/domain/retention.h"
#include "shared/base/log.h"
#include "shared/base/metrics.h"

#include <cstdint>
#include <filesystem>
#include <functional>

#include <boost/asio/awaitable.hpp>

namespace sallyport::app {

// Lines of the relay's log in files of its own, one for each hour ("relay-20260131T09.jsonl", mode 0600, in a folder of
// mode 0700), so that they end in time. A line that does not fit into its hour, or that the disk does not take, is
// dropped and counted, and the log says so as soon as it can. Nothing is synced: after a crash of the machine the last
// lines may be missing. One thread; a write waits for the page cache at most.
class LogFiles final : public LogSink {
 public:
  struct Config {
    std::filesystem::path folder;
    std::uint64_t most_per_hour = 0;  // bytes
  };
  // `complaints` hears why lines cannot be written, once for each hour.
  LogFiles(Config config, const Clock& clock, LogSink& complaints);
  ~LogFiles() override;
  LogFiles(const LogFiles&) = delete;
  LogFiles& operator=(const LogFiles&) = delete;

  void write(std::string_view line) override;

  // Removes the files of hours that ended `kept` before `now`; how many. Lines that come later count as written at
  // `now` at the earliest: a clock that is behind makes no file that is removed too early.
  Result<std::size_t> expire(WallTime now, domain::Hours kept);
  std::uint64_t dropped() const { return dropped_; }

 private:
  using Hour = std::chrono::sys_time<std::chrono::hours>;
  bool be_at(Hour hour);  // the hour's file is open
  Result<void> put(std::string_view line);
  void drop(std::string_view why);
  void tell_dropped();
  Result<void> open(Hour hour);
  void close();

  Config config_;
  const Clock& clock_;
  LogSink& complaints_;
  Hour least_{};
  Hour hour_{};
  int file_ = -1;
  std::uint64_t size_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint64_t untold_ = 0;
  bool complained_ = false;
};

// One line to both.
class BothSinks final : public LogSink {
 public:
  BothSinks(LogSink& one, LogSink& other) : one_(one), other_(other) {}
  void write(std::string_view line) override {
    one_.write(line);
    other_.write(line);
  }

 private:
  LogSink& one_;
  LogSink& other_;
};

// Ends files in time, for as long as it runs.
struct LogKeeping {
  LogFiles& files;
  const Log& log;
  Metrics& metrics;
  std::function<std::optional<WallTime>()> believed;  // nothing: not known now, and nothing is removed
  std::function<boost::asio::awaitable<Result<domain::Hours>>()> kept;
};
boost::asio::awaitable<void> keep_logs_in_time(LogKeeping with);

}  // namespace sallyport::app
