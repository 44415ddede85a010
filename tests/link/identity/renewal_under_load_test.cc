// The identity of an agent changes while it works; nothing that goes over its links may notice.
#include "tests/link/identity/loaded_site.h"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

constexpr std::size_t kMore = 4u << 20;
constexpr auto kTwoThirds = std::chrono::hours(21 * 24);

std::string serial_of(const LoadedSite& site) { return must(site.identities.load()).chain[0].serial(); }

// Another certificate is installed, and the relay has been told.
awaitable<bool> renewed(LoadedSite& site, std::string before, std::uint32_t generation) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (std::chrono::steady_clock::now() < deadline) {
    const auto seen = co_await site.generation();
    if (serial_of(site) != before && seen == generation) co_return true;
    co_await site.carried(64u << 10);
  }
  co_return false;
}

}  // namespace

ASYNC_TEST_CASE("certificates are renewed under load: no channel is dropped, no step runs twice", "[link][renewal]") {
  LoadedSite site(co_await asio::this_coro::executor);
  co_await site.begin();
  for (std::uint32_t round = 1; round <= 3; ++round) {
    const auto before = serial_of(site);
    co_await site.orders.start(5);
    site.rig.world.clock.advance(kTwoThirds);
    const bool came = co_await renewed(site, before, 1 + round);
    CHECK(came);
    co_await site.orders.start(5);
    co_await site.carried(kMore);
  }
  const auto lost = co_await site.losses();
  CHECK(lost == std::vector<std::string>());
  co_await site.end();
}

ASYNC_TEST_CASE("the root is changed twice under load: no channel is dropped, no step runs twice", "[link][root]") {
  LoadedSite site(co_await asio::this_coro::executor);
  co_await site.begin();
  for (std::uint32_t round = 1; round <= 2; ++round) {
    const auto before = serial_of(site);
    co_await site.orders.start(5);
    co_await site.rig.prepare_and_switch();
    const bool came = co_await renewed(site, before, 1 + round);
    CHECK(came);
    CHECK(site.rig.is_trusted_by(site.identities));
    CHECK(site.rig.of_old_root() == 0);
    co_await site.rig.retire();
    co_await site.orders.start(5);
    co_await site.carried(kMore);
  }
  const auto lost = co_await site.losses();
  CHECK(lost == std::vector<std::string>());
  co_await site.end();
}

// That a step which ran twice is counted, link_jobs shows (an agent killed in the middle of a renewal).
ASYNC_TEST_CASE("positive control: a renewal that costs the links is found", "[link][renewal]") {
  LoadedSite site(co_await asio::this_coro::executor);
  co_await site.begin();
  co_await site.orders.start(5);
  site.identities.on_install = [&] { site.rig.links.relink(site.rig.tenant.org, site.who, "planted"); };
  site.rig.world.clock.advance(kTwoThirds);
  const bool cut = co_await site.rig.until([&] { return site.rig.lines.has({"link.lost"}); });
  REQUIRE(cut);
  const auto lost = co_await site.losses();
  for (const auto* what : {"the bytes are not those that were sent", "the connection ended: link_lost",
                           "a link was lost", "the links are not those of the beginning"}) {
    INFO(what);
    CHECK(std::ranges::find(lost, what) != lost.end());
  }
  co_await site.end();
}
