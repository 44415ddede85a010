#pragma once

#include <cstddef>
#include <span>

namespace google::protobuf {
class MessageLite;
}

namespace sallyport::link {

// Fills `message` from bytes of a peer. False: they are not such a message, and what `message` holds is of no use.
// Prints nothing, unlike the protobuf library left to itself.
bool parse(google::protobuf::MessageLite& message, std::span<const std::byte> bytes);

}  // namespace sallyport::link
