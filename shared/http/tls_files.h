#pragma once

#include "shared/base/result.h"

#include <string>

namespace sallyport::http {

// What a server shows, and of whom it asks the same.
struct TlsFiles {
  std::string certificate_file;  // PEM, leaf first, then its chain
  std::string key_file;          // PEM
  std::string client_ca_file;    // PEM; a client has to show a certificate of one of these authorities. Empty: none
};

// Whether a server could use them; Errc::invalid names the file that does not fit.
Result<void> check(const TlsFiles& files);

}  // namespace sallyport::http
