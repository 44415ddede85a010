#include "relay/domain/release.h"

#include <catch2/catch.hpp>

#include <set>
#include <string_view>

using namespace sallyport;
using namespace sallyport::domain;

TEST_CASE("reasons of a release read back, and each has its own words", "[domain][jobs]") {
  std::set<std::string_view> words;
  for (const ReleaseReason reason : kReleaseReasons) {
    CHECK(parse_release_reason(to_string(reason)) == reason);
    CHECK_FALSE(words_for(reason).empty());
    CHECK(words.insert(words_for(reason)).second);
  }
  CHECK(parse_release_reason("tired").error().code == Errc::invalid);
  CHECK(parse_release_reason("").error().code == Errc::invalid);
}

TEST_CASE("steps may have begun only where the agent had the job and cannot say", "[domain][jobs]") {
  std::set<ReleaseReason> doubtful;
  for (const ReleaseReason reason : kReleaseReasons) {
    if (may_have_begun(reason)) doubtful.insert(reason);
  }
  CHECK(doubtful == std::set{ReleaseReason::holder_lost, ReleaseReason::agent_revoked, ReleaseReason::journal_lost});
}
