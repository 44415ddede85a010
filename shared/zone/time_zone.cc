#include "shared/zone/time_zone.h"

#include <algorithm>
#include <cstdint>

namespace sallyport {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

constexpr std::string_view kMagic = "TZif";
constexpr std::size_t kReserved = 15;
constexpr std::uint32_t kMaxCount = 20'000;
constexpr std::int64_t kMaxOffset = 26 * 3600;              // RFC 9636 §3.2: -25 h to +26 h, without their ends
constexpr std::int64_t kEarliest = std::int64_t{-1} << 59;  // RFC 9636 §3.2: transitions should not be before
constexpr std::int64_t kLatest = std::int64_t{1} << 59;

std::unexpected<Error> broken(std::string_view what) {
  return fail(Errc::invalid, "time zone data: " + std::string(what));
}

class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : rest_(bytes) {}

  Result<std::string_view> take(std::size_t count) {
    if (count > rest_.size()) return broken("the file is cut off");
    const auto taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  // Big-endian two's complement.
  Result<std::int64_t> number(std::size_t size) {
    SP_TRY(const auto bytes, take(size));
    std::uint64_t value = (static_cast<unsigned char>(bytes[0]) & 0x80) != 0 ? ~std::uint64_t{0} : 0;
    for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
    return static_cast<std::int64_t>(value);
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

struct Header {
  bool has_second_block = false;
  std::uint32_t utc_flags = 0, standard_flags = 0, leaps = 0, times = 0, types = 0, characters = 0;

  std::size_t body(std::size_t time_size) const {
    return times * time_size + times + types * std::size_t{6} + characters + leaps * (time_size + 4) + standard_flags +
           utc_flags;
  }
};

Result<Header> read_header(Bytes& from) {
  SP_TRY(const auto magic, from.take(kMagic.size()));
  if (magic != kMagic) return broken("not a TZif file");
  SP_TRY(const auto version, from.take(1));
  SP_CHECK(from.take(kReserved));
  Header made{.has_second_block = version[0] >= '2'};
  for (auto* count : {&made.utc_flags, &made.standard_flags, &made.leaps, &made.times, &made.types, &made.characters}) {
    SP_TRY(const auto number, from.number(4));
    if (number < 0 || number > kMaxCount) return broken("a count is out of range");
    *count = static_cast<std::uint32_t>(number);
  }
  return made;
}

// "\n" rule "\n"; an empty rule is no rule.
Result<std::optional<ZoneRule>> read_footer(std::string_view footer) {
  const auto end = footer.starts_with('\n') ? footer.find('\n', 1) : std::string_view::npos;
  if (end == std::string_view::npos) return broken("the rule at the end is missing");
  const auto text = footer.substr(1, end - 1);
  if (text.empty()) return std::optional<ZoneRule>();
  const auto rule = ZoneRule::parse(text);
  if (!rule) return broken("the rule at the end is not understood");
  return rule;
}

struct Block {
  std::vector<sys_seconds> times;
  std::vector<std::size_t> kinds;  // index into offsets, one for each time
  std::vector<seconds> offsets;
};

Result<Block> read_block(Bytes& from, const Header& header, std::size_t time_size) {
  if (header.types == 0) return broken("it has no local time type");
  if (header.leaps != 0) return broken("zones that count leap seconds are not supported");
  Block made;
  for (std::uint32_t i = 0; i < header.times; ++i) {
    SP_TRY(const auto time, from.number(time_size));
    made.times.emplace_back(seconds(std::clamp(time, kEarliest, kLatest)));
  }
  if (!std::ranges::is_sorted(made.times)) return broken("the transitions are not in order");
  SP_TRY(const auto kinds, from.take(header.times));
  for (const char kind : kinds) {
    made.kinds.push_back(static_cast<unsigned char>(kind));
    if (made.kinds.back() >= header.types) return broken("a transition is of no known type");
  }
  for (std::uint32_t i = 0; i < header.types; ++i) {
    SP_TRY(const auto offset, from.number(4));
    if (offset <= -kMaxOffset || offset >= kMaxOffset) return broken("an offset is out of range");
    made.offsets.emplace_back(offset);
    SP_CHECK(from.take(2));
  }
  SP_CHECK(from.take(std::size_t{header.characters} + header.standard_flags + header.utc_flags));
  return made;
}

}  // namespace

Result<TimeZone> TimeZone::parse(std::string_view tzif) {
  if (tzif.size() > kMaxFile) return fail(Errc::too_large, "time zone data: a file of over 1 MiB");
  Bytes from(tzif);
  std::size_t time_size = 4;
  SP_TRY(auto header, read_header(from));
  if (header.has_second_block) {
    SP_CHECK(from.take(header.body(time_size)));
    SP_TRY(header, read_header(from));
    time_size = 8;
  }
  SP_TRY(const auto block, read_block(from, header, time_size));
  TimeZone made;
  made.first_ = block.offsets[0];
  for (std::size_t i = 0; i < block.times.size(); ++i) {
    made.transitions_.push_back({block.times[i], block.offsets[block.kinds[i]]});
  }
  if (header.has_second_block) {
    SP_TRY(made.rule_, read_footer(from.rest()));
  }
  return made;
}

ZoneStretch TimeZone::stretch(sys_seconds at) const {
  const auto next = std::ranges::upper_bound(transitions_, at, {}, &Transition::when);
  ZoneStretch found{.offset = first_};
  if (next != transitions_.begin()) found = {.begin = std::prev(next)->when, .offset = std::prev(next)->offset};
  if (next != transitions_.end()) {
    found.end = next->when;
  } else if (rule_) {
    const auto ruled = rule_->stretch(at);
    found = {.begin = std::max(found.begin, ruled.begin), .end = ruled.end, .offset = ruled.offset};
  }
  return found;
}

}  // namespace sallyport
