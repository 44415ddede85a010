#pragma once

#include "agent/platform/fd.h"
#include "shared/base/result.h"

#include <netinet/in.h>

#include <chrono>
#include <cstddef>
#include <span>
#include <string_view>

namespace sallyport::bench {

using platform::Fd;

// "127.0.0.1:5999"
Result<sockaddr_in> parse_address(std::string_view text);

// Several may listen at one address; the kernel deals out the connections.
Result<Fd> listen_at(const sockaddr_in& address);

// A blocking socket without Nagle's delay, whose sends and receives fail after `limit`. Each call comes from another
// address of 127.0.1.0/24, so that thousands of connections a second do not run out of ports.
Result<Fd> connect_to(const sockaddr_in& address, std::chrono::seconds limit);

// False: the connection ended, failed, or its limit passed.
bool send_all(int socket, std::span<const std::byte> bytes);
bool receive_all(int socket, std::span<std::byte> bytes);

void without_delay(int socket);
// What is closed now is reset, so that nothing of it is left in the kernel.
void reset_when_closed(int socket);

}  // namespace sallyport::bench
