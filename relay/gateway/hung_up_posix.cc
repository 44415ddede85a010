#include "relay/gateway/hung_up.h"

#include <poll.h>

namespace sallyport::gateway {

bool has_hung_up(boost::asio::ip::tcp::socket& socket) {
  pollfd asked{socket.native_handle(), POLLRDHUP, 0};
  return ::poll(&asked, 1, 0) > 0;
}

}  // namespace sallyport::gateway
