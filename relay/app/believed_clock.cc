#include "relay/app/believed_clock.h"

#include "relay/app/clock_sources.h"

#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <system_error>
#include <utility>

namespace sallyport::app {
namespace {

constexpr std::string_view kPrefix = "sallyport-clock-1 ";
constexpr std::size_t kMostBoot = 64;
constexpr std::chrono::seconds kSaveEvery{60};

std::optional<domain::SavedClock> load(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text(kPrefix.size() + kMostBoot + 64, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return parse_saved_clock(text);
}

Result<void> store(const std::filesystem::path& file, const domain::SavedClock& clock) {
  const std::filesystem::path fresh = file.string() + ".new";
  {
    std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
    out << format_saved_clock(clock);
    if (!out.flush()) return fail(Errc::unavailable, fmt::format("cannot write {}", fresh.string()));
  }
  std::error_code problem;
  std::filesystem::rename(fresh, file, problem);
  if (problem) return fail(Errc::unavailable, fmt::format("cannot write {}: {}", file.string(), problem.message()));
  return {};
}

std::optional<std::int64_t> number(std::string_view& text) {
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end == text.data() + text.size() || *end != ' ') return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return value;
}

}  // namespace

std::optional<domain::SavedClock> parse_saved_clock(std::string_view text) {
  if (!text.starts_with(kPrefix) || !text.ends_with('\n')) return std::nullopt;
  text = text.substr(kPrefix.size(), text.size() - kPrefix.size() - 1);
  const auto believed = number(text);
  const auto since_boot = believed ? number(text) : std::nullopt;
  if (!since_boot || text.size() > kMostBoot || text.find_first_of(" \n") != std::string_view::npos)
    return std::nullopt;
  return domain::SavedClock{from_unix_ms(*believed), std::chrono::milliseconds(*since_boot), std::string(text)};
}

std::string format_saved_clock(const domain::SavedClock& clock) {
  return fmt::format("{}{} {} {}\n", kPrefix, unix_ms(clock.believed), clock.since_boot.count(), clock.boot);
}

BelievedClock::BelievedClock(std::filesystem::path file, Parts parts)
    : file_(std::move(file)),
      parts_(std::move(parts)),
      agrees_(parts_.metrics.gauge("sallyport_clock_believed",
                                   "1 while the wall clock goes as the time that is believed does.")),
      late_(parts_.metrics.gauge("sallyport_clock_late_seconds",
                                 "How far the time that is believed is behind the wall clock.")),
      heard_(parts_.metrics.gauge("sallyport_clock_agents_heard",
                                  "1 while agents of enough organisations say what time it is.")),
      agents_ahead_(parts_.metrics.gauge("sallyport_clock_agents_ahead_seconds",
                                         "How far the agents' time is ahead of the wall clock, while they are heard.")),
      clock_(load(file_)) {}

std::optional<WallTime> BelievedClock::now() {
  auto sample = sample_clocks();
  if (!sample) return std::nullopt;
  sample->agents = parts_.agents();
  const auto believed = clock_.judge(*sample);
  last_ = believed;
  last_at_ = std::chrono::steady_clock::now();
  tell();
  measure(*sample);
  if (believed) save();
  return believed;
}

std::optional<WallTime> BelievedClock::since_last() const {
  if (!last_) return std::nullopt;
  return *last_ + std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - last_at_);
}

void BelievedClock::tell() {
  const auto standing = clock_.standing();
  if (std::exchange(told_, standing) == standing) return;
  if (standing == domain::ClockStanding::agreed) {
    parts_.log.info("clock.agreed");
  } else {
    parts_.log.warn("clock.not_believed", {{"clock", domain::to_string(standing)}});
  }
}

void BelievedClock::measure(const domain::ClockSample& sample) {
  using std::chrono::seconds;
  agrees_.set(clock_.standing() == domain::ClockStanding::agreed ? 1 : 0);
  late_.set(last_ ? std::chrono::duration_cast<seconds>(sample.wall - *last_).count() : 0);
  heard_.set(sample.agents ? 1 : 0);
  agents_ahead_.set(sample.agents ? std::chrono::duration_cast<seconds>(sample.agents->least - sample.wall).count()
                                  : 0);
}

void BelievedClock::save() {
  const auto now = clock_.to_save();
  if (!now || (saved_ && now->boot == saved_->boot && now->since_boot - saved_->since_boot < kSaveEvery)) return;
  if (auto stored = store(file_, *now); !stored)
    parts_.log.warn("clock.not_saved", {{"reason", stored.error().message}});
  saved_ = now;
}

Result<void> BelievedClock::confirm(const std::filesystem::path& file) {
  const auto sample = sample_clocks();
  if (!sample) return fail(Errc::unavailable, "this machine does not tell the time since its boot");
  domain::TrustedClock clock(load(file));
  clock.confirm(*sample);
  const auto saved = clock.to_save();
  if (!saved) return fail(Errc::internal, "a confirmed clock is not believed");
  return store(file, *saved);
}

}  // namespace sallyport::app
