#include "shared/crypto/server_chain.h"

#include "tests/support/pki.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::crypto;

TEST_CASE("what a client would find wrong with a server's certificate", "[crypto][chain]") {
  const test::MovableClock clock;
  const test::Pki pki(clock, {"127.0.0.1", "db.test"});
  const auto other = test::must(make_root("Other root", clock));
  const test::TempDir dir;
  const auto ca = dir.write("ca.pem", pki.root.certificate.pem());
  const auto other_ca = dir.write("other.pem", other.certificate.pem());
  const auto own = dir.write("own.pem", pki.server.certificate.pem());
  const std::vector<Certificate> chain{pki.server.certificate};
  const auto judged = [&](const std::string& file, const std::string& host, std::chrono::hours later = {}) {
    return judge_server_chain(chain, file, host, clock.wall() + later).fault;
  };
  CHECK(judged(ca, "db.test") == ChainFault::none);
  CHECK(judged(ca, "127.0.0.1") == ChainFault::none);
  CHECK(judged(ca, "") == ChainFault::none);
  CHECK(judged(own, "db.test") == ChainFault::none);
  CHECK(judged(other_ca, "db.test") == ChainFault::not_trusted);
  CHECK(judged(ca, "other.test") == ChainFault::other_host);
  CHECK(judged(ca, "127.0.0.2") == ChainFault::other_host);
  CHECK(judged(ca, "db.test", std::chrono::hours(24 * 365 * 50)) == ChainFault::expired);
  CHECK(judged(ca, "db.test", std::chrono::hours(-24 * 365)) == ChainFault::not_yet_valid);
  CHECK(judged(dir.path("none.pem"), "db.test") == ChainFault::no_store);
  CHECK(judge_server_chain({}, ca, "db.test", clock.wall()).fault == ChainFault::unsuitable);

  const auto agent = pki.agent();  // a certificate for clients
  CHECK(judge_server_chain(agent.chain, ca, "", clock.wall()).fault == ChainFault::unsuitable);
}
