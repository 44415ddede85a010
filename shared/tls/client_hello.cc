#include "shared/tls/client_hello.h"

#include "shared/base/text.h"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace sallyport::tls {
namespace {

constexpr std::uint64_t kHandshakeRecord = 22;
constexpr std::uint64_t kClientHello = 1;
constexpr std::uint64_t kAlpn = 16;
constexpr std::size_t kRecordHeader = 5;
constexpr std::size_t kMessageHeader = 4;
constexpr std::size_t kLargestRecord = 16u << 10;

// Takes fields off the front; after one that is not there, nothing is.
class Fields {
 public:
  explicit Fields(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::optional<std::span<const std::byte>> take(std::size_t size) {
    if (size > bytes_.size()) return std::nullopt;
    const auto taken = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return taken;
  }
  std::optional<std::uint64_t> number(std::size_t size) {
    const auto bytes = take(size);
    if (!bytes) return std::nullopt;
    std::uint64_t value = 0;
    for (const auto byte : *bytes) value = value << 8 | std::to_integer<std::uint64_t>(byte);
    return value;
  }
  // With its length in front, in so many bytes.
  std::optional<std::span<const std::byte>> vector(std::size_t length_size) {
    const auto size = number(length_size);
    return size ? take(static_cast<std::size_t>(*size)) : std::nullopt;
  }
  bool empty() const { return bytes_.empty(); }

 private:
  std::span<const std::byte> bytes_;
};

std::optional<std::vector<std::string>> protocol_names(std::span<const std::byte> extension) {
  Fields fields(extension);
  const auto list = fields.vector(2);
  if (!list || list->empty() || !fields.empty()) return std::nullopt;
  std::vector<std::string> names;
  for (Fields rest(*list); !rest.empty();) {
    const auto name = rest.vector(1);
    if (!name || name->empty()) return std::nullopt;
    names.emplace_back(as_text(*name));
  }
  return names;
}

FirstWords offered_in(std::span<const std::byte> extensions) {
  std::optional<std::vector<std::string>> names;
  for (Fields rest(extensions); !rest.empty();) {
    const auto type = rest.number(2);
    const auto content = rest.vector(2);
    if (!type || !content) return NoClientHello();
    if (*type != kAlpn) continue;
    if (names) return NoClientHello();
    names = protocol_names(*content);
    if (!names) return NoClientHello();
  }
  return OfferedProtocols{std::move(names).value_or(std::vector<std::string>())};
}

FirstWords read_message(std::span<const std::byte> body) {
  Fields fields(body);
  const auto version = fields.number(2);
  const auto random = fields.take(32);
  const auto session = fields.vector(1);
  const auto suites = fields.vector(2);
  const auto compression = fields.vector(1);
  const bool plausible = version && *version >> 8 == 3 && random && session && session->size() <= 32 && suites &&
                         !suites->empty() && suites->size() % 2 == 0 && compression && !compression->empty();
  if (!plausible) return NoClientHello();
  if (fields.empty()) return OfferedProtocols();
  const auto extensions = fields.vector(2);
  if (!extensions || !fields.empty()) return NoClientHello();
  return offered_in(*extensions);
}

FirstWords more(std::size_t bytes) {
  if (bytes > kMaxClientHello) return NoClientHello();
  return MoreNeeded{bytes};
}

}  // namespace

FirstWords read_first_words(std::span<const std::byte> bytes) {
  Bytes message;  // its records' payloads
  std::size_t whole = kMessageHeader;
  for (std::size_t at = 0; message.size() < whole;) {
    const auto rest = bytes.subspan(std::min(at, bytes.size()));
    if (!rest.empty() && std::to_integer<std::uint64_t>(rest[0]) != kHandshakeRecord) return NoClientHello();
    if (rest.size() < kRecordHeader) return more(at + kRecordHeader);
    Fields header(rest.subspan(1));
    const auto version = header.number(2), size = header.number(2);
    if (!version || !size || *version >> 8 != 3 || *size == 0 || *size > kLargestRecord) return NoClientHello();
    const auto end = at + kRecordHeader + static_cast<std::size_t>(*size);
    if (bytes.size() < end) return more(end);
    const auto payload = bytes.subspan(at + kRecordHeader, static_cast<std::size_t>(*size));
    message.insert(message.end(), payload.begin(), payload.end());
    at = end;
    if (message.size() < kMessageHeader) continue;
    Fields head(message);
    const auto type = head.number(1), length = head.number(3);
    if (!type || !length || *type != kClientHello || *length > kMaxClientHello) return NoClientHello();
    whole = kMessageHeader + static_cast<std::size_t>(*length);
  }
  return read_message(std::span(message).subspan(kMessageHeader, whole - kMessageHeader));
}

}  // namespace sallyport::tls
