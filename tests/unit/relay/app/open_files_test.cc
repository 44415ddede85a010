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
  CHECK(usual == kOwnFiles + 1'024 + 12'000 + 5'000 + 500);
  for (const auto files : {usual, usual + 1, std::numeric_limits<std::size_t>::max()}) {
    const auto limits = fit_connections(files);
    REQUIRE(limits.has_value());
    CHECK(limits->api.max_connections == 1'024);
    CHECK(limits->api.max_per_source == 128);
    CHECK(limits->api.max_upgraded() == 512);
    CHECK(limits->links.carried == 256);
    CHECK(limits->tunnels.sessions.all == 256);
    CHECK(limits->links.connections == 12'000);
    CHECK(limits->tunnels.connections == 5'000);
    CHECK(limits->tunnels.listeners == 500);
  }
}

TEST_CASE("with fewer files both sides get less, and never more than there is", "[app][limits]") {
  struct Case {
    std::size_t files, api, per_source, links, tunnels, listeners;
  };
  for (const auto& one : {Case{384, 128, 64, 128, 0, 0}, Case{512, 128, 64, 192, 56, 8},
                          Case{1'024, 224, 112, 504, 147, 21}, Case{4'096, 992, 128, 2'232, 651, 93},
                          Case{8'192, 1'024, 128, 5'280, 1'540, 220}, Case{18'651, 1'024, 128, 12'000, 4'999, 500}}) {
    INFO(one.files << " files");
    const auto limits = fit_connections(one.files);
    REQUIRE(limits.has_value());
    CHECK(limits->api.max_connections == one.api);
    CHECK(limits->api.max_per_source == one.per_source);
    CHECK(limits->links.connections == one.links);
    CHECK(limits->tunnels.connections == one.tunnels);
    CHECK(limits->tunnels.listeners == one.listeners);
  }
  for (std::size_t files = 384; files < ConnectionLimits().files(); ++files) {
    const auto limits = fit_connections(files);
    REQUIRE(limits.has_value());
    REQUIRE(limits->files() <= files);
    REQUIRE(limits->api.max_connections >= kLeastApi);
    REQUIRE(limits->links.connections >= kLeastLinks);
    REQUIRE(limits->api.max_upgraded() <= limits->api.max_connections / 2);
    REQUIRE(limits->links.carried + limits->tunnels.sessions.all <= limits->api.max_upgraded());
    REQUIRE(limits->tunnels.sessions.all >= 32);
  }
}

TEST_CASE("a relay that is to carry more tunnels asks for more files", "[app][limits]") {
  ConnectionLimits wanted;
  wanted.tunnels.connections = 20'000;
  CHECK(wanted.files() == ConnectionLimits().files() + 15'000);
  const auto limits = fit_connections(wanted.files(), wanted);
  REQUIRE(limits.has_value());
  CHECK(limits->tunnels.connections == 20'000);
  const auto fewer = fit_connections(ConnectionLimits().files(), wanted);
  REQUIRE(fewer.has_value());
  CHECK(fewer->tunnels.connections == 5'000);
}

TEST_CASE("with too few files the relay does not start, and says what to raise", "[app][limits]") {
  for (const std::size_t files : {0u, 1u, 128u, 383u}) {
    const auto limits = fit_connections(files);
    REQUIRE_FALSE(limits.has_value());
    CHECK(limits.error().code == Errc::exhausted);
    CHECK(limits.error().message.find("needs 384 at the least, 18652 for all") != std::string::npos);
    CHECK(limits.error().message.find("LimitNOFILE=") != std::string::npos);
  }
}
