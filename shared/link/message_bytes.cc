#include "shared/link/message_bytes.h"

#include <google/protobuf/message_lite.h>
#include <google/protobuf/stubs/logging.h>

#include <limits>

namespace sallyport::link {

bool parse(google::protobuf::MessageLite& message, std::span<const std::byte> bytes) {
  // protobuf writes a line about text that is not UTF-8 to standard error; the caller's error says it.
  [[maybe_unused]] static auto* const former = google::protobuf::SetLogHandler(nullptr);
  if (bytes.size() > std::numeric_limits<int>::max()) return false;
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace sallyport::link
