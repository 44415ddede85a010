// A look at the certificate of OpenSSL's own server, whatever that wants.
#include "agent/connectors/certificate/shown.h"
#include "tests/support/free_port.h"
#include "tests/support/pki.h"
#include "tests/support/temp_dir.h"
#include "tests/support/told_certificate.h"

#include <catch2/catch.hpp>

#include <fmt/format.h>

using namespace sallyport;
using namespace sallyport::connectors::certificate;

namespace {

struct World {
  SystemClock clock;
  test::Pki pki{clock};
  test::TempDir files;
  std::string ca = files.write("ca.pem", pki.root.certificate.pem());
  std::string certificate = files.write("server.pem", pki.server.certificate.pem());
  std::string key = files.write("server.key", pki.server.key.to_pem().reveal());
  std::uint16_t port = test::free_port();

  Shown look(const std::vector<std::string>& wishes) {
    std::vector<std::string> words{"openssl", "s_server",  "-accept",  fmt::format("127.0.0.1:{}", port),
                                   "-cert",   certificate, "-key",     key,
                                   "-CAfile", ca,          "-naccept", "100",
                                   "-quiet"};
    words.insert(words.end(), wishes.begin(), wishes.end());
    test::RunningServer server(words, files.path("server.log"));
    server.wait_until([&] { return test::takes_connections(port); });
    return connectors::certificate::look({"127.0.0.1", port, Before::nothing, ca}, clock,
                                         clock.steady() + std::chrono::seconds(30));
  }
};

}  // namespace

TEST_CASE("a certificate is seen of a server that lets nobody in without one of his own", "[certificate]") {
  World world;
  const std::string version = GENERATE("-tls1_2", "-tls1_3");
  INFO(version);
  const auto shown = world.look({version, "-Verify", "1", "-verify_return_error"});
  test::check_told({shown.good()}, world.certificate);
  CHECK_FALSE(shown.is_refusable());
}

TEST_CASE("of a server that speaks old TLS only no certificate is seen", "[certificate]") {
  World world;
  const auto shown = world.look({"-tls1_1", "-cipher", "ALL:@SECLEVEL=0"});
  CHECK_FALSE(shown.is_refusable());
  CHECK(shown.bad("refused").text.starts_with("refused: no certificate is seen of 127.0.0.1: "));
}
