#include "relay/tunnels/tally.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::tunnels;
using namespace std::chrono_literals;

namespace {

const SteadyTime kBegin{1h};
constexpr auto kRefused = ConnectionEnd::refused_by_policy;

std::string address(int n) { return "192.0.2." + std::to_string(n); }

store::TunnelConnection closed(std::string source, std::uint64_t to_target = 0, std::uint64_t from_target = 0) {
  return {.id = TunnelConnectionId("tcn_1"),
          .tunnel = TunnelId("tun_1"),
          .source = std::move(source),
          .opened_at = from_unix_ms(5'000),
          .closed_at = from_unix_ms(6'000),
          .to_target = to_target,
          .from_target = from_target,
          .end = "as the test says",
          .detail = "of one"};
}

}  // namespace

TEST_CASE("of each address one refusal a minute is told by itself, the rest together", "[tunnels]") {
  Tally tally;
  CHECK(tally.ended(kRefused, closed("192.0.2.1"), kBegin));
  CHECK_FALSE(tally.ended(kRefused, closed("192.0.2.1"), kBegin + 1s));
  CHECK(tally.ended(kRefused, closed("192.0.2.2"), kBegin + 2s));
  CHECK_FALSE(tally.ended(kRefused, closed("192.0.2.1"), kBegin + 3s));
  CHECK(tally.ended(ConnectionEnd::no_agent, closed("192.0.2.1"), kBegin + 4s));  // another reason
  CHECK(tally.pending());
  CHECK(tally.due(kBegin + 59s).empty());
  const auto rests = tally.due(kBegin + 60s);
  REQUIRE(rests.size() == 1);
  CHECK(rests.at(kRefused).count == 2);
  CHECK(rests.at(kRefused).latest.source == "192.0.2.1");
  CHECK_FALSE(tally.pending());
  CHECK(tally.due(kBegin + 2h).empty());
  CHECK(tally.ended(kRefused, closed("192.0.2.1"), kBegin + 2h));  // a new minute
}

TEST_CASE("whoever is not carried costs nine records a minute, and none is unaccounted for", "[tunnels]") {
  for (const auto end : kConnectionEnds) {
    if (was_carried(end)) continue;
    INFO(to_string(end));
    Tally tally;
    std::uint64_t records = 0, accounted = 0;
    const auto take = [&](const Tally::Rests& rests) {
      for (const auto& [why, rest] : rests) {
        CHECK(why == end);
        ++records;
        accounted += rest.count;
      }
    };
    for (int i = 0; i < 180'000; ++i) {  // three minutes, a thousand a second
      const auto now = kBegin + i * 1ms;
      take(tally.due(now));
      if (!tally.ended(end, closed(address(i % 250)), now)) continue;
      ++records;
      ++accounted;
    }
    take(tally.take());
    CHECK(accounted == 180'000);
    CHECK(records == 3 * (Tally::kSources + 1));
  }
}

TEST_CASE("of carried connections so many a minute have their own record, the others share one for each end",
          "[tunnels]") {
  Tally tally;
  std::uint64_t records = 0, accounted = 0, to_target = 0, from_target = 0;
  const auto note = [&](const store::TunnelConnection& record) {
    ++records;
    to_target += record.to_target;
    from_target += record.from_target;
  };
  const auto take = [&](Tally::Rests rests) {
    for (auto& [end, rest] : rests) {
      accounted += rest.count;
      note(record_of(end, std::move(rest)));
    }
  };
  for (int i = 0; i < 60'000; ++i) {  // a minute, a thousand a second
    const auto now = kBegin + i * 1ms;
    take(tally.due(now));
    const auto end = i % 3 == 0 ? ConnectionEnd::client_reset : ConnectionEnd::finished;
    const auto one = closed(address(i % 250), 3, 5);
    if (!tally.ended(end, one, now)) continue;
    note(one);
    ++accounted;
  }
  take(tally.take());
  CHECK(records == Tally::kOwn + 2);
  CHECK(accounted == 60'000);
  CHECK(to_target == 180'000);
  CHECK(from_target == 300'000);
}

TEST_CASE("open connections take of the own records, and get one in the next minute", "[tunnels]") {
  Tally tally;
  for (std::size_t n = 0; n < Tally::kOwn; ++n) CHECK(tally.may_begin(kBegin));
  CHECK_FALSE(tally.may_begin(kBegin + 1s));
  CHECK_FALSE(tally.ended(ConnectionEnd::finished, closed("192.0.2.1"), kBegin + 2s));
  CHECK(tally.ended(ConnectionEnd::no_agent, closed("192.0.2.1"), kBegin + 2s));  // those have their own measure
  CHECK(tally.due(kBegin + 60s).size() == 1);
  CHECK(tally.may_begin(kBegin + 60s));
}

TEST_CASE("the record of many tells how many, from when on, and their bytes", "[tunnels]") {
  Tally tally;
  for (std::size_t n = 0; n < Tally::kOwn; ++n) (void)tally.may_begin(kBegin);
  auto last = closed("192.0.2.2", 10, 100);
  last.opened_at = from_unix_ms(5'500);
  last.agent = AgentId("agt_1");
  CHECK_FALSE(tally.ended(ConnectionEnd::idle, closed("192.0.2.1", 1, 2), kBegin));
  CHECK_FALSE(tally.ended(ConnectionEnd::idle, last, kBegin));
  CHECK(tally.ended(kRefused, closed("192.0.2.1"), kBegin));
  CHECK_FALSE(tally.ended(kRefused, closed("192.0.2.1"), kBegin));
  auto rests = tally.take();
  REQUIRE(rests.size() == 2);
  const auto carried = record_of(ConnectionEnd::idle, rests.at(ConnectionEnd::idle));
  CHECK(carried.source == "192.0.2.2");
  CHECK(carried.agent == AgentId("agt_1"));
  CHECK(carried.opened_at == from_unix_ms(5'000));
  CHECK(carried.closed_at == from_unix_ms(6'000));
  CHECK(carried.to_target == 11);
  CHECK(carried.from_target == 102);
  CHECK(carried.end == "as the test says");
  CHECK(carried.detail.starts_with("2 more connections ended like this within a minute"));
  CHECK(record_of(kRefused, rests.at(kRefused)).detail.starts_with("1 more connections were refused within a minute"));
}

TEST_CASE("a minute without more than was told has no rest", "[tunnels]") {
  Tally tally;
  CHECK(tally.ended(kRefused, closed("192.0.2.1"), kBegin));
  CHECK_FALSE(tally.pending());
  CHECK(tally.due(kBegin + 61s).empty());
  CHECK(tally.ended(kRefused, closed("192.0.2.1"), kBegin + 62s));
  CHECK(tally.take().empty());
}
