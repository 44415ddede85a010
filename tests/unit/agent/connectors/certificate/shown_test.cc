#include "agent/connectors/certificate/shown.h"

#include "tests/support/pki.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::connectors::certificate;
using findings::Verdict;

namespace {

struct World {
  test::MovableClock clock;
  test::Pki pki{clock, {"127.0.0.1", "db.test"}};
  test::TempDir dir;
  std::string ca = dir.write("ca.pem", pki.root.certificate.pem());
  std::string other_ca = dir.write("other.pem", test::must(crypto::make_root("Other root", clock)).certificate.pem());

  Shown shown(const std::string& host, const std::string& ca_file) const {
    return {Whom{host, 1, Before::nothing, ca_file}, {pki.server.certificate}, clock};
  }
};

}  // namespace

TEST_CASE("a certificate is told with all that tells it from others", "[certificate]") {
  const World world;
  const auto text = describe(world.pki.server.certificate);
  INFO(text);
  CHECK(text.contains("issued by CN=Test root"));
  CHECK(text.contains("for 127.0.0.1, db.test,"));
  CHECK(text.contains("until 20"));
  const auto from = text.find("SHA-256 ") + 8;
  CHECK(text.size() - from == 32 * 3 - 1);
}

TEST_CASE("what is wrong with a certificate decides what to do about it", "[certificate]") {
  World world;
  CHECK(world.shown("db.test", world.ca).good().text.contains("SHA-256"));
  CHECK(world.shown("db.test", world.ca).good().verdict == Verdict::good);
  const auto unknown = world.shown("db.test", world.other_ca);
  CHECK(unknown.is_refusable());
  CHECK(unknown.bad("refused").text.starts_with("refused: db.test shows "));
  CHECK(unknown.bad("refused").verdict == Verdict::bad);
  CHECK(unknown.bad("refused").advice.contains("put the certificate of its issuer into " + world.other_ca));
  CHECK(world.shown("db.test", "/none.pem").bad("refused").advice.contains("`ca_file`"));
  CHECK(world.shown("elsewhere.test", world.ca).bad("refused").advice.contains("one of its names"));
  world.clock.advance(std::chrono::hours(24 * 365 * 50));
  CHECK(world.shown("db.test", world.ca).bad("refused").advice.contains("renewed"));
}

TEST_CASE("a server of which nothing was seen", "[certificate]") {
  const Shown none(Whom{"db.test", 1}, Error{Errc::unavailable, "it offers no TLS: the database answers no"});
  CHECK_FALSE(none.is_refusable());
  CHECK(none.bad("refused").text ==
        "refused: no certificate is seen of db.test: it offers no TLS: the database "
        "answers no");
  CHECK_FALSE(none.bad("refused").advice.empty());
  CHECK(none.good().text == "the certificate is good for db.test");
}
