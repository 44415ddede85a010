#pragma once

#include "shared/base/clock.h"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace sallyport {

enum class LogLevel { debug, info, warn, error };

// One named value of a log line. Secrets have no conversion to it.
struct LogField {
  std::string_view name;
  std::variant<std::string_view, std::int64_t, double, bool> value;

  LogField(std::string_view n, std::string_view v) : name(n), value(v) {}
  LogField(std::string_view n, const char* v) : name(n), value(std::string_view(v)) {}
  LogField(std::string_view n, const std::string& v) : name(n), value(std::string_view(v)) {}
  LogField(std::string_view n, bool v) : name(n), value(v) {}
  LogField(std::string_view n, double v) : name(n), value(v) {}
  template <std::integral T>
  LogField(std::string_view n, T v) : name(n), value(static_cast<std::int64_t>(v)) {}
};

// Where finished lines go; each call gets one JSON object without a line break.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void write(std::string_view line) = 0;
};

// Writes lines to a file descriptor it does not own; one write(2) per line.
class FdSink final : public LogSink {
 public:
  explicit FdSink(int fd) : fd_(fd) {}
  void write(std::string_view line) override;

 private:
  int fd_;
};

// Structured log: `log.info("link.lost", {{"reason", "silent_peer"}, {"agent", id.value}})` gives one JSON line
// with time, level, event and the fields. Events are `noun.verb`. Handed in by reference, never global.
// Thread-safe as far as its sink is (FdSink is).
class Log {
 public:
  Log(LogSink& sink, const Clock& clock, LogLevel least = LogLevel::info) : sink_(sink), clock_(clock), least_(least) {}

  using Fields = std::initializer_list<LogField>;
  void debug(std::string_view event, Fields fields = {}) const { write(LogLevel::debug, event, fields); }
  void info(std::string_view event, Fields fields = {}) const { write(LogLevel::info, event, fields); }
  void warn(std::string_view event, Fields fields = {}) const { write(LogLevel::warn, event, fields); }
  void error(std::string_view event, Fields fields = {}) const { write(LogLevel::error, event, fields); }

 private:
  void write(LogLevel level, std::string_view event, Fields fields) const;

  LogSink& sink_;
  const Clock& clock_;
  LogLevel least_;
};

}  // namespace sallyport
