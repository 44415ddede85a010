#include "relay/app/open_files.h"

#include <catch2/catch.hpp>

#include <sys/resource.h>

#include <limits>

using namespace sallyport;
using namespace sallyport::app;

namespace {

// The limit as it was, whatever a test makes of it.
class SavedLimit {
 public:
  SavedLimit() { REQUIRE(::getrlimit(RLIMIT_NOFILE, &saved_) == 0); }
  SavedLimit(const SavedLimit&) = delete;
  SavedLimit& operator=(const SavedLimit&) = delete;
  ~SavedLimit() { ::setrlimit(RLIMIT_NOFILE, &saved_); }
  const rlimit& saved() const { return saved_; }

 private:
  rlimit saved_{};
};

}  // namespace

TEST_CASE("the process gives itself all the files it may have", "[app][limits]") {
  const SavedLimit limit;
  const rlimit low{256, limit.saved().rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  const auto raised = raise_open_files();
  REQUIRE(raised.has_value());
  rlimit now{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &now) == 0);
  CHECK(now.rlim_cur == limit.saved().rlim_max);
  CHECK(*raised == limit.saved().rlim_max);
}

TEST_CASE("with enough files the limits are the usual ones", "[app][limits]") {
  const auto usual = ConnectionLimits().files();
  CHECK(usual == kOwnFiles + 1'024 + 12'000);
  for (const auto files : {usual, usual + 1, std::numeric_limits<std::size_t>::max()}) {
    const auto limits = fit_connections(files);
    REQUIRE(limits.has_value());
    CHECK(limits->api.max_connections == 1'024);
    CHECK(limits->api.max_per_source == 128);
    CHECK(limits->links.connections == 12'000);
    CHECK(limits->links.door.guests == 1'024);
  }
}

TEST_CASE("with fewer files both sides get less, and never more than there is", "[app][limits]") {
  struct Case {
    std::size_t files, api, per_source, links, guests;
  };
  for (const auto& one : {Case{384, 128, 64, 128, 64}, Case{512, 128, 64, 256, 128}, Case{1'024, 224, 112, 672, 336},
                          Case{4'096, 992, 128, 2'976, 1'024}, Case{8'192, 1'024, 128, 7'040, 1'024}}) {
    INFO(one.files << " files");
    const auto limits = fit_connections(one.files);
    REQUIRE(limits.has_value());
    CHECK(limits->api.max_connections == one.api);
    CHECK(limits->api.max_per_source == one.per_source);
    CHECK(limits->links.connections == one.links);
    CHECK(limits->links.door.guests == one.guests);
  }
  for (std::size_t files = 384; files < ConnectionLimits().files(); ++files) {
    const auto limits = fit_connections(files);
    REQUIRE(limits.has_value());
    REQUIRE(limits->files() <= files);
    REQUIRE(limits->api.max_connections >= kLeastApi);
    REQUIRE(limits->links.connections >= kLeastLinks);
  }
}

TEST_CASE("with too few files the relay does not start, and says what to raise", "[app][limits]") {
  for (const std::size_t files : {0u, 1u, 128u, 383u}) {
    const auto limits = fit_connections(files);
    REQUIRE_FALSE(limits.has_value());
    CHECK(limits.error().code == Errc::exhausted);
    CHECK(limits.error().message.find("needs 384 at the least, 13152 for all") != std::string::npos);
    CHECK(limits.error().message.find("LimitNOFILE=") != std::string::npos);
  }
}
