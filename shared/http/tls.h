#pragma once

#include "shared/base/result.h"
#include "shared/http/tls_files.h"

#include <boost/asio/ssl/context.hpp>

#include <memory>

namespace sallyport::http {

// TLS 1.2 with AEAD suites and forward secrecy, or 1.3; ALPN http/1.1; no resumption, no renegotiation, no compression.
// Errc::invalid names the file that does not fit.
Result<std::shared_ptr<boost::asio::ssl::context>> load_tls(const TlsFiles& files);

}  // namespace sallyport::http
