#pragma once

#include "agent/findings/finding.h"
#include "tests/support/server_process.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>

// What `sallyport-agent connection test` says of certificates. Link agent/findings.
namespace sallyport::test {

// "AB:CD:...", of the first certificate of a file in PEM, as openssl has it.
inline std::string fingerprint_of(const std::string& pem_file) {
  auto text = output_of("openssl x509 -noout -fingerprint -sha256 -in '" + pem_file + "'");
  text.erase(0, text.find('=') + 1);
  text.erase(text.find('\n'));
  return text;
}

// The finding "tls" names the certificate of `pem_file`, and says what to do when it is bad.
inline void check_told(const findings::Findings& findings, const std::string& pem_file) {
  const auto tls = std::ranges::find(findings, "tls", &findings::Finding::check);
  REQUIRE(tls != findings.end());
  INFO(tls->text << "\n" << tls->advice);
  CHECK(tls->text.contains("SHA-256 " + fingerprint_of(pem_file)));
  CHECK(tls->text.contains("issued by "));
  CHECK(tls->advice.empty() == (tls->verdict == findings::Verdict::good));
  // None of these servers is trusted by the other's authority or by the system.
  if (tls->verdict == findings::Verdict::bad) CHECK(tls->advice.contains("SHA-256"));
}

}  // namespace sallyport::test
