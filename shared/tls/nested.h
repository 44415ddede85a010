#pragma once

#include "shared/tls/refusal.h"
#include "shared/tls/secure_stream.h"

#include <expected>
#include <memory>
#include <string>

namespace sallyport::tls {

// TLS inside another byte stream, for a link that something in between must not look into: the same handshake, checks,
// facts and refusals as over a socket (stream.h), and the same contract for reads, writes and their errors, with two
// differences. Answers to key updates leave with the next write; a peer that provokes more than 64 KiB of them is an
// error. close() says nothing to the peer, because the stream below cannot be written to without waiting; finish()
// does.
using NestedHandshake = std::expected<std::unique_ptr<SecureStream>, Refusal>;

// Both own `under`, stay on its executor, and close it when the handshake is refused or has not ended by `deadline`.
boost::asio::awaitable<NestedHandshake> accept_nested_tls(std::unique_ptr<ByteStream> under,
                                                          const ServerContext& context, SteadyTime deadline);
// `host` is what the certificate of the inner session must name.
boost::asio::awaitable<NestedHandshake> connect_nested_tls(std::unique_ptr<ByteStream> under,
                                                           const ClientContext& context, std::string host,
                                                           SteadyTime deadline);

}  // namespace sallyport::tls
