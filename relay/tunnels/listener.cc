#include "relay/tunnels/listener.h"

#include "shared/async/socket_options.h"
#include "shared/tunnel/purpose.h"
#include "shared/tunnel/splice.h"

#include <fmt/format.h>
#include <boost/asio/ip/v6_only.hpp>

namespace sallyport::tunnels {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace {

std::unexpected<Error> failed(const domain::TunnelListener& where, const boost::system::error_code& why) {
  const auto here = to_string(where);
  if (why == asio::error::address_in_use)
    return fail(Errc::conflict,
                fmt::format("cannot listen on {}: another program has this port; choose another", here));
  if (why == boost::system::errc::address_not_available)
    return fail(Errc::invalid, fmt::format("cannot listen on {}: this machine does not have that address", here));
  if (why == asio::error::access_denied)
    return fail(
        Errc::invalid,
        fmt::format("cannot listen on {}: the relay's user may not open that port; choose one above 1023", here));
  return fail(Errc::unavailable, fmt::format("cannot listen on {}: {}", here, why.message()));
}

}  // namespace

Result<tcp::acceptor> listen_on(const asio::any_io_executor& executor, const domain::TunnelListener& where) {
  boost::system::error_code problem;
  const auto address = asio::ip::make_address(where.address, problem);
  if (problem) return fail(Errc::invalid, fmt::format("\"{}\" is no IP address to listen on", where.address));
  const tcp::endpoint endpoint(address, where.port);
  tcp::acceptor acceptor(executor);
  acceptor.open(endpoint.protocol(), problem);
  if (!problem) acceptor.set_option(tcp::acceptor::reuse_address(true), problem);
  if (!problem && address.is_v6()) acceptor.set_option(asio::ip::v6_only(true), problem);
  if (!problem) acceptor.bind(endpoint, problem);
  if (!problem) acceptor.listen(tcp::acceptor::max_listen_connections, problem);
  if (problem) return failed(where, problem);
  if (const auto ready = tunnel::prepare(acceptor); !ready) {
    return fail(Errc::unavailable, fmt::format("cannot listen on {}: {}", to_string(where), ready.error().message));
  }
  return acceptor;
}

std::string to_string(const domain::TunnelListener& where) {
  return tunnel::to_string(tunnel::Target{where.address, where.port});
}

void reset(tcp::socket& socket) {
  (void)set_closing(socket, Closing::by_reset);
  boost::system::error_code ignored;
  socket.close(ignored);
}

}  // namespace sallyport::tunnels
