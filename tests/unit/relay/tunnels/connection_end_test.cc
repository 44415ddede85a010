#include "relay/tunnels/connection_end.h"

#include <catch2/catch.hpp>

#include <set>

using namespace sallyport;
using namespace sallyport::tunnels;
using mux::ResetCode;
using tunnel::SpliceEnd;

TEST_CASE("every end has a word of its own", "[tunnels]") {
  std::set<std::string_view> words;
  for (const auto end : kConnectionEnds) words.insert(to_string(end));
  CHECK(words.size() == kConnectionEnds.size());
  CHECK(words == std::set<std::string_view>{"finished", "client_reset", "target_reset", "refused_by_policy",
                                            "unreachable", "no_agent", "link_lost", "idle", "expired", "paused",
                                            "removed", "too_many", "not_allowed", "access_ended", "relay_stopped",
                                            "failed"});
}

TEST_CASE("which ends are those of connections that were not carried", "[tunnels]") {
  std::set<std::string_view> words;
  for (const auto end : kConnectionEnds) {
    if (!was_carried(end)) words.insert(to_string(end));
  }
  CHECK(words == std::set<std::string_view>{"refused_by_policy", "unreachable", "no_agent", "too_many", "not_allowed"});
}

TEST_CASE("what a splice came to, in the words of access records", "[tunnels]") {
  struct Case {
    SpliceEnd end;
    std::optional<ResetCode> code;
    std::string_view word;
  };
  for (const auto& one : {
           Case{SpliceEnd::finished, {}, "finished"}, Case{SpliceEnd::socket_broken, {}, "client_reset"},
           Case{SpliceEnd::idle, {}, "idle"}, Case{SpliceEnd::stopped, {}, "relay_stopped"},
           Case{SpliceEnd::failed, {}, "failed"}, Case{SpliceEnd::channel_broken, {}, "link_lost"},
           Case{SpliceEnd::channel_broken, ResetCode::forbidden, "refused_by_policy"},
           Case{SpliceEnd::channel_broken, ResetCode::unreachable, "unreachable"},
           Case{SpliceEnd::channel_broken, ResetCode::broken, "target_reset"},
           Case{SpliceEnd::channel_broken, ResetCode::exhausted, "too_many"},
           Case{SpliceEnd::channel_broken, ResetCode::refused, "no_agent"},
           Case{SpliceEnd::channel_broken, ResetCode::shutting_down, "no_agent"},
           Case{SpliceEnd::channel_broken, ResetCode::cancelled, "link_lost"},
           Case{SpliceEnd::channel_broken, ResetCode::internal, "link_lost"},
           Case{SpliceEnd::channel_broken, ResetCode(99), "link_lost"},  // of a newer agent
       }) {
    INFO(tunnel::to_string(one.end) << " expected to be " << one.word);
    const auto ending = ending_of({one.end, one.code, "as it was told"});
    CHECK(to_string(ending.end) == one.word);
    CHECK(ending.detail == (one.end == SpliceEnd::finished ? "" : "as it was told"));
  }
}
