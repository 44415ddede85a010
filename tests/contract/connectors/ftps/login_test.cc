// TLS and login, as the operator has set them; what the connection test says of each.
#include "tests/contract/connectors/ftps/exchange.h"
#include "tests/support/told_certificate.h"

#include <fmt/format.h>

using namespace sallyport;
using namespace sallyport::test;

namespace {

const auto& files() { return ExchangeFiles::get(); }

// What a step and the connection test say with these settings, and that neither tells the password.
struct Attempt {
  explicit Attempt(Exchange& exchange) {
    const auto got = exchange.get("a");
    error_class = class_of(got);
    message = got ? "" : got.error().message;
    tested = exchange.tested();
    for (const auto& password : {FtpsServer::password(), std::string("wr0ng-s3cret")})
      CHECK((message + tested + exchange.agent.logged()).find(password) == std::string::npos);
    CHECK(message.find("127.0.0.1") == std::string::npos);
  }
  std::string error_class, message, tested;
};

}  // namespace

TEST_CASE("a connection to an FTP server that works", "[ftps][login]") {
  if (without_server()) return;
  const auto implicit = GENERATE(false, true);
  Exchange exchange(serving(implicit), implicit ? ", security: implicit" : "");
  exchange.server.files().write("a", "1");
  const Attempt attempt(exchange);
  CHECK(attempt.error_class == "none");
  INFO(attempt.tested);
  CHECK(attempt.tested.find("bad") == std::string::npos);
  for (const auto* part : {"dns good", "tcp good", "tls good: the certificate is good for 127.0.0.1: ", "issued by",
                           "until 20", "login good: the server takes the login of partner", "permission good"})
    CHECK(attempt.tested.find(part) != std::string::npos);
}

TEST_CASE("a certificate that is not trusted, or for another host", "[ftps][tls]") {
  if (without_server()) return;
  const auto settings = GENERATE(as<std::string>(), "other ca", "other name");
  Exchange exchange(serving(),
                    settings == "other ca" ? ", ca_file: " + files().other_ca : std::string(", host: localhost"));
  const Attempt attempt(exchange);
  CHECK(attempt.error_class == "connection");
  INFO(attempt.tested);
  CHECK(attempt.tested.find("tls bad: ") != std::string::npos);
  CHECK(attempt.tested.find("SHA-256 " + fingerprint_of(files().certificate)) != std::string::npos);
  CHECK(attempt.tested.find("login") == std::string::npos);
  CHECK(exchange.server.log().find("partner") == std::string::npos);  // nobody tried to log in
}

TEST_CASE("a login that the FTP server refuses", "[ftps][login]") {
  if (without_server()) return;
  Exchange exchange(serving(), ", password_file: " + files().wrong_password);
  const Attempt attempt(exchange);
  CHECK(attempt.error_class == "permission");
  CHECK(attempt.tested.find("tls good") != std::string::npos);
  CHECK(attempt.tested.find("login bad") != std::string::npos);
}

TEST_CASE("a root that is not there", "[ftps][login]") {
  if (without_server()) return;
  Exchange exchange(serving(), ", root: /nowhere");
  const Attempt attempt(exchange);
  CHECK(attempt.error_class == "not_found");
  CHECK(attempt.tested.find("permission bad") != std::string::npos);
}

TEST_CASE("an FTP server that wants a client certificate", "[ftps][tls]") {
  if (without_server()) return;
  const auto ca = fmt::format("require_cert=YES\nvalidate_cert=YES\nca_certs_file={}", files().ca);
  Exchange without(serving(false, ca));
  const Attempt refused(without);
  CHECK(refused.error_class == "connection");
  INFO(refused.tested);
  CHECK(refused.tested.contains("tls bad"));
  CHECK(refused.tested.contains("SHA-256 " + fingerprint_of(files().certificate)));  // shown before it refuses
  Exchange with(serving(false, ca), fmt::format(", client_certificate_file: {}, client_key_file: {}",
                                                files().client_certificate, files().client_key));
  with.server.files().write("a", "1");
  CHECK(Attempt(with).error_class == "none");
  Exchange broken(serving(false, ca), fmt::format(", client_certificate_file: {}, client_key_file: {}",
                                                  files().client_certificate, files().key));
  CHECK(Attempt(broken).error_class == "invalid");
}

TEST_CASE("implicit and explicit TLS are not mixed up in silence", "[ftps][tls]") {
  if (without_server()) return;
  Exchange exchange(serving(true), ", connect_timeout: 1s");
  CHECK(class_of(exchange.get("a")) == "connection");
  CHECK(exchange.server.log().find("partner") == std::string::npos);
}
