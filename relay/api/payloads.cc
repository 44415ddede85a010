#include "relay/api/payloads.h"

#include "shared/base/json.h"

#include <utility>

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

constexpr JsonLimits kStoredLimits{.max_bytes = 64u << 20, .max_depth = 64};

std::string_view reason_of(Errc code) {
  if (code == Errc::invalid) return "it was changed, or belongs to another record";
  if (code == Errc::unavailable) return "its key cannot be had now: look at `sallyport keys show`";
  return "it is sealed under a key that this relay does not have now";
}

}  // namespace

bool PayloadReader::admits(std::size_t bytes) {
  if (bytes == 0 || access_ == Access::denied) return false;
  const bool fits = admitted_ == 0 || admitted_ + bytes <= kMostBytes;
  if (fits) admitted_ += bytes;
  omitted_ = omitted_ || !fits;
  return fits;
}

Value PayloadReader::left_out(std::size_t bytes) const {
  if (bytes == 0 || access_ == Access::denied) return {};
  return Value(ValueMap{{Value("$omitted"), Value("the answer is full; ask for this step alone")}});
}

Value PayloadReader::mark_unreadable(std::string_view record, const Error& why) {
  if (!std::exchange(told_, true)) log_.error("record.unreadable", {{"record", record}, {"reason", why.message}});
  ++(why.code == Errc::not_found ? unreadable_.expired
     : why.code == Errc::invalid ? unreadable_.damaged
                                 : unreadable_.key_unavailable);
  return Value(ValueMap{{Value("$unreadable"), Value(reason_of(why.code))}});
}

asio::awaitable<std::expected<Secret, Value>> PayloadReader::open(keys::RecordIdentity identity, Bytes sealed) {
  const auto record = identity.record;
  auto plain = co_await envelope_.open(std::move(identity), sealed);
  if (!plain) co_return std::unexpected(mark_unreadable(record, plain.error()));
  co_return *std::move(plain);
}

asio::awaitable<Value> PayloadReader::read_json(keys::RecordIdentity identity, std::optional<Bytes> sealed) {
  if (!sealed || access_ == Access::denied) co_return Value();
  const auto record = identity.record;
  const auto text = co_await open(std::move(identity), *std::move(sealed));
  if (!text) co_return text.error();
  auto value = parse_shown_json(text->reveal(), kStoredLimits);
  co_return value ? *std::move(value) : mark_unreadable(record, {Errc::invalid, value.error().message});
}

asio::awaitable<Value> PayloadReader::read_text(keys::RecordIdentity identity, std::optional<Bytes> sealed) {
  if (!sealed || access_ == Access::denied) co_return Value();
  const auto text = co_await open(std::move(identity), *std::move(sealed));
  co_return text ? Value(text->reveal()) : text.error();
}

asio::awaitable<Value> PayloadReader::read_message(keys::RecordIdentity identity, std::optional<Bytes> sealed) {
  if (!sealed) co_return Value("");
  const auto text = co_await open(std::move(identity), *std::move(sealed));
  co_return text ? Value(text->reveal()) : text.error();
}

PayloadReader::Access payload_access(const Caller& caller) {
  return caller.scopes.contains(domain::Scope::payloads_read) ? PayloadReader::Access::granted
                                                              : PayloadReader::Access::denied;
}

}  // namespace sallyport::api
