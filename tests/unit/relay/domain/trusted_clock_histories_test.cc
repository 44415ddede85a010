#include "relay/domain/trusted_clock.h"

#include <catch2/catch.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <random>

// Random histories of a machine whose true time only the test knows. Its clock since boot runs as the kernel's does;
// of wall clock and agents at most one lies at a time, and with the wall clock up to half of the organisations: whoever
// forges the answers of NTP has the kernel's word for it, too. What is believed is never ahead of the truth by more
// than the clocks of agents are, does not go back, and goes on when the clocks are right.
using namespace sallyport;
using namespace sallyport::domain;
using namespace std::chrono_literals;

namespace {

constexpr milliseconds kAgentsDiffer = 5s;
constexpr milliseconds kYear = 24h * 365;
constexpr milliseconds kMinute = 60s;  // more than what clocks differ that confirm each other

enum class Liar { nobody, wall, agents, wall_and_half };

class History {
 public:
  explicit History(std::uint32_t seed) : random_(seed) { reboot(); }

  void step() {
    switch (random_() % 12) {
      case 0: liar_ = static_cast<Liar>(random_() % 4); break;
      case 1: lie_ = between(-24h, kYear); break;
      case 2: lie_ = between(-1min, 1min); break;
      case 3:
      case 4: agents_speak_ = random_() % 2 == 0; break;
      case 5: pass(between(0ms, 6h)); break;
      case 6:
        truth_ += between(0ms, 1h);
        break;  // the machine stood still, and none of its clocks noticed but the wall's
      default: pass(between(0ms, 30s));
    }
  }
  void reboot() {
    truth_ += between(0ms, 24h * 40);
    since_boot_ = between(1s, 24h * 100);
    boot_ = fmt::format("boot-{}", random_());
    drift_ppm_ = static_cast<std::int64_t>(random_() % 1'001) - 500;
  }
  bool one_in(std::uint32_t many) { return random_() % many == 0; }

  ClockSample sample() {
    ClockSample shown{.wall = truth_, .since_boot = since_boot_, .boot = boot_};
    if (liar_ == Liar::wall || liar_ == Liar::wall_and_half) shown.wall += lie_;
    if (agents_speak_) shown.agents = agents();
    return shown;
  }
  // Everybody tells the truth, and somebody besides the wall clock.
  bool can_be_confirmed() const { return liar_ == Liar::nobody && agents_speak_; }
  WallTime truth() const { return truth_; }

 private:
  AgentsTime agents() {
    const auto said = truth_ + between(-kAgentsDiffer, kAgentsDiffer);
    if (liar_ == Liar::agents) return {said + lie_, said + lie_};
    if (liar_ == Liar::wall_and_half) return {std::min(said, said + lie_), std::max(said, said + lie_)};
    return {said, said};
  }
  milliseconds between(milliseconds least, milliseconds most) {
    return milliseconds(std::uniform_int_distribution<std::int64_t>(least.count(), most.count())(random_));
  }
  void pass(milliseconds time) {
    truth_ += time;
    since_boot_ += time + time * drift_ppm_ / 1'000'000;
  }

  std::mt19937 random_;
  WallTime truth_ = from_unix_ms(1'700'000'000'000);
  milliseconds since_boot_{0};
  std::string boot_;
  std::int64_t drift_ppm_ = 0;
  Liar liar_ = Liar::nobody;
  milliseconds lie_{0};
  bool agents_speak_ = true;
};

// What is wrong with the guard in one history; "" when nothing is.
template <class Guard>
std::string fault_in(std::uint32_t seed) {
  History history(seed);
  Guard guard(std::nullopt);
  std::optional<SavedClock> saved;
  WallTime reached;
  for (int round = 0; round < 400; ++round) {
    history.step();
    if (history.one_in(40)) {
      if (history.one_in(2)) history.reboot();
      guard = Guard(saved);
      reached = WallTime();
    }
    const auto believed = guard.judge(history.sample());
    if (history.one_in(5)) saved = guard.to_save();
    if (believed && *believed > history.truth() + kAgentsDiffer)
      return fmt::format("round {}: {} ms ahead", round, (*believed - history.truth()).count());
    if (believed && *believed < reached - kMinute) return fmt::format("round {}: it went back", round);
    reached = believed.value_or(reached);
    if (history.can_be_confirmed() && (!believed || *believed < history.truth() - kMinute))
      return fmt::format("round {}: all clocks are right, and it does not go on", round);
  }
  return "";
}

template <class Guard>
std::string first_fault(std::uint32_t histories) {
  for (std::uint32_t seed = 1; seed <= histories; ++seed) {
    if (auto fault = fault_in<Guard>(seed); !fault.empty()) return fmt::format("seed {}, {}", seed, fault);
  }
  return "";
}

// Guards with a fault each, for the property to find.
struct BelievesTheWall {
  explicit BelievesTheWall(std::optional<SavedClock>) {}
  std::optional<WallTime> judge(const ClockSample& sample) { return sample.wall; }
  std::optional<SavedClock> to_save() const { return std::nullopt; }
};

struct BelievesItself {  // whoever has said something once
  explicit BelievesItself(std::optional<SavedClock>) {}
  std::optional<WallTime> judge(const ClockSample& sample) {
    if (!start_) start_ = sample.wall - sample.since_boot;
    return *start_ + sample.since_boot;
  }
  std::optional<SavedClock> to_save() const { return std::nullopt; }
  std::optional<WallTime> start_;
};

struct Bent {  // a guard that is told something else
  explicit Bent(std::optional<SavedClock> saved) : guard(std::move(saved)) {}
  std::optional<SavedClock> to_save() const { return guard.to_save(); }
  TrustedClock guard;
};

struct BelievesTheKernel : Bent {  // which keeps that very clock
  using Bent::Bent;
  std::optional<WallTime> judge(ClockSample sample) {
    sample.agents = {sample.wall, sample.wall};
    return guard.judge(sample);
  }
};

struct BelievesHalf : Bent {  // of the organisations
  using Bent::Bent;
  std::optional<WallTime> judge(ClockSample sample) {
    if (sample.agents) sample.agents->least = sample.agents->most;
    return guard.judge(sample);
  }
};

struct GoesBackForHalf : Bent {
  using Bent::Bent;
  std::optional<WallTime> judge(ClockSample sample) {
    if (sample.agents) sample.agents->most = sample.agents->least;
    return guard.judge(sample);
  }
};

struct NeverGoesOn {
  explicit NeverGoesOn(std::optional<SavedClock>) {}
  std::optional<WallTime> judge(const ClockSample&) { return WallTime{}; }
  std::optional<SavedClock> to_save() const { return std::nullopt; }
};

struct TakesUptimeForTime : TrustedClock {  // of another boot
  explicit TakesUptimeForTime(std::optional<SavedClock> saved) : TrustedClock(reboot(std::move(saved))) {}
  static std::optional<SavedClock> reboot(std::optional<SavedClock> saved) {
    if (saved) saved->since_boot = 0ms;
    return saved;
  }
  std::optional<WallTime> judge(ClockSample sample) {
    sample.boot = "always the same";
    return TrustedClock::judge(sample);
  }
};

}  // namespace

TEST_CASE("in random histories nothing is believed that is not true yet, and right clocks are followed",
          "[domain][clock]") {
  CHECK(first_fault<TrustedClock>(3'000) == "");
}

TEST_CASE("positive control: guards that believe too much, or nothing, are found", "[domain][clock]") {
  CHECK(first_fault<BelievesTheWall>(50) != "");
  CHECK(first_fault<BelievesItself>(50) != "");
  CHECK(first_fault<BelievesTheKernel>(50) != "");
  CHECK(first_fault<BelievesHalf>(50) != "");
  CHECK(first_fault<GoesBackForHalf>(50) != "");
  CHECK(first_fault<TakesUptimeForTime>(50) != "");
  CHECK(first_fault<NeverGoesOn>(50) != "");
}
