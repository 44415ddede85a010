#pragma once

#include "shared/base/clock.h"
#include "shared/http/types.h"

#include <string>
#include <string_view>

namespace sallyport::http {

enum class Content { send, omit };      // omit: the answer to HEAD
enum class Connection { keep, close };  // what the Connection header says

// Status line, headers (the caller's, then framing, Date and the security headers every answer has) and the body as
// they go on the wire (RFC 9112 §2.1). Control characters in header values become spaces. No IO.
std::string response_text(const Response& response, std::string_view request_id, Content content, Connection connection,
                          WallTime now);

// The head of a live stream: chunked text/event-stream, Connection: close.
std::string stream_head_text(const Headers& headers, std::string_view request_id, WallTime now);
// One event as one chunk (RFC 9112 §7.1); an event without name, id and data is a comment that proves life.
std::string event_chunk(const ServerEvent& event);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

// 101 to a request that asked for `protocol`.
std::string upgrade_head_text(std::string_view protocol, const Headers& headers, std::string_view request_id,
                              WallTime now);

std::string http_date(WallTime at);  // IMF-fixdate, RFC 9110 §5.6.7

}  // namespace sallyport::http
