#pragma once

#include "relay/outbound/https_call.h"
#include "shared/base/value.h"

#include <span>
#include <string_view>

namespace sallyport::keys {

// Strict JSON of at most kMaxHttpsAnswer bytes and a depth of 8, an object. Errc::unavailable: it is none, so something
// else answers there.
Result<Value> parse_answer(std::string_view text);

// The bytes of the only text member of the last of `path`'s names in `answer`, standing where `path` leads, in base64.
// They never reach the parser, whose memory is not wiped: it sees the answer without them. Errc::unavailable: there is
// no such member, or it is no base64, or its characters are escaped.
Result<Secret> take_secret(const Secret& answer, std::span<const std::string_view> path);

// The text at `path`, "" when there is none.
std::string text_at(const Value& value, std::span<const std::string_view> path);

// `text` of somebody else for a message of ours: at most 200 bytes, without control characters.
std::string quoted(std::string_view text);

}  // namespace sallyport::keys
