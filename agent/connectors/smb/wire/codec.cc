#include "agent/connectors/smb/wire/codec.h"

#include <algorithm>
#include <array>
#include <concepts>
#include <utility>

namespace sallyport::connectors::smb::wire {
namespace {

// The fields of each message in their order on the wire; `each` takes them all.
template <class M, class Each>
void fields(M& m, Each& each) {
  using T = std::remove_const_t<M>;
  if constexpr (std::same_as<T, Open>)
    each(m.host, m.port, m.share, m.domain, m.user, m.password, m.encrypts, m.patience_ms);
  if constexpr (std::same_as<T, Look> || std::same_as<T, List> || std::same_as<T, Remove>) each(m.path);
  if constexpr (std::same_as<T, OpenFile>) each(m.path, m.mode);
  if constexpr (std::same_as<T, Read>) each(m.from, m.count);
  if constexpr (std::same_as<T, Write>) each(m.at, m.bytes);
  if constexpr (std::same_as<T, Rename>) each(m.from, m.to);
  if constexpr (std::same_as<T, Failed>) each(m.trouble, m.number);
  if constexpr (std::same_as<T, Facts>) each(m.kind, m.size, m.mtime_ns);
  if constexpr (std::same_as<T, Entry>) {
    each(m.name);
    fields(m.facts, each);
  }
  if constexpr (std::same_as<T, Piece>) each(m.bytes);
}

template <std::size_t n>
void put_number(std::uint64_t number, std::vector<std::byte>& into) {
  for (std::size_t i = 0; i < n; ++i) into.push_back(static_cast<std::byte>(number >> (8 * i)));
}

template <std::size_t n>
std::uint64_t number_in(std::span<const std::byte> bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = n; i-- > 0;) number = number << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  return number;
}

class Encoder {
 public:
  explicit Encoder(std::vector<std::byte>& into) : into_(into) {}
  template <class... Fields>
  void operator()(const Fields&... all) {
    (put(all), ...);
  }
  bool fits() const { return fits_; }

 private:
  void put(std::uint64_t number) { put_number<8>(number, into_); }
  void put(std::uint8_t flag) { put_number<1>(flag, into_); }
  template <class Choice>
    requires std::is_enum_v<Choice>
  void put(Choice choice) {
    put_number<1>(std::to_underlying(choice), into_);
  }
  void put(const std::string& text) { put_text(text); }
  void put(const Secret& text) { put_text(text.reveal()); }
  void put_text(std::string_view text) {
    fits_ = fits_ && text.size() <= kMostText;
    if (!fits_) return;
    put_number<4>(text.size(), into_);
    put_all(std::as_bytes(std::span(text)));
  }
  void put(Bytes bytes) {
    fits_ = fits_ && bytes.size() <= kMostPiece;
    if (fits_) put_all(bytes);
  }
  void put_all(Bytes bytes) { into_.insert(into_.end(), bytes.begin(), bytes.end()); }

  std::vector<std::byte>& into_;
  bool fits_ = true;
};

class Decoder {
 public:
  explicit Decoder(Bytes bytes) : bytes_(bytes) {}
  template <class... Fields>
  void operator()(Fields&... all) {
    (take(all), ...);
  }
  bool is_good() const { return good_ && bytes_.empty(); }  // and nothing is left

 private:
  Bytes cut(std::size_t count) {
    good_ = good_ && count <= bytes_.size();
    if (!good_) return {};
    return std::exchange(bytes_, bytes_.subspan(count)).first(count);
  }
  template <std::size_t n>
  std::uint64_t number() {
    const auto bytes = cut(n);
    return good_ ? number_in<n>(bytes) : 0;
  }
  void take(std::uint64_t& number) { number = this->number<8>(); }
  void take(std::uint8_t& flag) {
    const auto found = number<1>();
    good_ = good_ && found <= 1;
    flag = found == 1 ? 1 : 0;
  }
  void take(Mode& mode) { choose(mode, Mode::go_on); }
  void take(Kind& kind) { choose(kind, Kind::other); }
  void take(Trouble& trouble) { choose(trouble, kLastTrouble); }
  template <class Choice>
  void choose(Choice& choice, Choice last) {
    const auto found = number<1>();
    good_ = good_ && found <= std::to_underlying(last);
    if (good_) choice = static_cast<Choice>(found);
  }
  void take(std::string& text) {
    const auto size = number<4>();
    good_ = good_ && size <= kMostText;
    const auto bytes = cut(good_ ? size : 0);
    text.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  void take(Secret& secret) {
    std::string text;
    take(text);
    secret = Secret::take(text);
  }
  void take(Bytes& bytes) {
    good_ = good_ && bytes_.size() <= kMostPiece;
    bytes = std::exchange(bytes_, {});
  }

  Bytes bytes_;
  bool good_ = true;
};

template <class Message>
Result<void> encode_any(const Message& message, std::vector<std::byte>& into) {
  into.assign(kLengthSize, std::byte{});
  put_number<1>(message.index(), into);
  Encoder each(into);
  std::visit([&](const auto& one) { fields(one, each); }, message);
  const auto length = into.size() - kLengthSize;
  if (!each.fits() || length > kMostMessage) return fail(Errc::too_large, "a message is too large");
  for (std::size_t i = 0; i < kLengthSize; ++i) into[i] = static_cast<std::byte>(length >> (8 * i));
  return {};
}

template <class Message, std::size_t index = 0>
Result<Message> decode_any(Bytes bytes) {
  if constexpr (index < std::variant_size_v<Message>) {
    if (!bytes.empty() && std::to_integer<std::size_t>(bytes.front()) != index)
      return decode_any<Message, index + 1>(bytes);
    std::variant_alternative_t<index, Message> one;
    Decoder each(bytes.empty() ? bytes : bytes.subspan(1));
    fields(one, each);
    if (!bytes.empty() && each.is_good()) return Message(std::in_place_index<index>, std::move(one));
  }
  return fail(Errc::invalid, "what came is no message");
}

}  // namespace

Result<void> encode(const Request& request, std::vector<std::byte>& into) {
  constexpr std::size_t kMostOpening = 6 * (kMostText + 8);
  if (std::holds_alternative<Open>(request)) into.reserve(kMostOpening);  // growing would leave the password behind
  return encode_any(request, into);
}
Result<void> encode(const Answer& answer, std::vector<std::byte>& into) { return encode_any(answer, into); }

Result<std::size_t> decode_length(std::span<const std::byte, kLengthSize> bytes) {
  const auto length = number_in<kLengthSize>(bytes);
  if (length == 0 || length > kMostMessage) return fail(Errc::invalid, "what came is no message");
  return length;
}

Result<Request> decode_request(std::span<const std::byte> message) { return decode_any<Request>(message); }
Result<Answer> decode_answer(std::span<const std::byte> message) { return decode_any<Answer>(message); }

}  // namespace sallyport::connectors::smb::wire
