#pragma once

#include "shared/base/result.h"

#include <boost/asio/ip/tcp.hpp>

#include <chrono>

namespace sallyport::tls {

// Unacknowledged data or keep-alive probes for this long end a connection.
inline constexpr std::chrono::seconds kUserTimeout{15};

// The options of every TCP connection that carries a link: no Nagle, keep-alive after 10 s idle, the kernel gives up
// after kUserTimeout, and at most 128 KiB unsent data in the kernel where it knows such a limit.
Result<void> prepare_socket(boost::asio::ip::tcp::socket& socket);

}  // namespace sallyport::tls
