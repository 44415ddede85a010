#pragma once

#include "shared/async/byte_stream.h"
#include "shared/websocket/frames.h"

#include <boost/asio/any_io_executor.hpp>

#include <memory>

namespace sallyport::websocket {

inline constexpr std::size_t kMessageSize = 64u << 10;  // payload of one message we send

// The binary messages of a WebSocket (after its handshake) as one flow of bytes: where messages begin and end means
// nothing. Owns `under` and stays on `executor`. Pings are answered by the reader, the newest one if there are many; a
// close is answered and ends the flow, as the end of `under` does. What breaks RFC 6455 ends it with Errc::invalid.
// `first` is what came behind the handshake. close() closes `under` without a close frame: the session inside has its
// own farewell.
std::unique_ptr<ByteStream> make_stream(const boost::asio::any_io_executor& executor, std::unique_ptr<ByteStream> under,
                                        Side side, Bytes first = {});

}  // namespace sallyport::websocket
