#include "relay/api/payloads.h"

#include "relay/api/retention_shapes.h"
#include "shared/base/json.h"

#include <utility>

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

constexpr JsonLimits kStoredLimits{.max_bytes = 64u << 20, .max_depth = 64};

// Why something does not open: for people, and for programs.
struct Reason {
  std::string_view text;
  std::string_view code;
};

Reason reason_of(Errc code, PayloadReader::Time time) {
  if (code == Errc::not_found && time == PayloadReader::Time::is_not)
    return {"its key was lost and given up", "given_up"};
  if (code == Errc::not_found) return {"its retention has ended", "expired"};
  if (code == Errc::invalid) return {"it was changed, or belongs to another record", "damaged"};
  return {"its key cannot be had now: look at `sallyport keys show`", "key_unavailable"};
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

Value PayloadReader::mark_unreadable(std::string_view record, const Error& why, Time time) {
  if (!std::exchange(told_, true)) {
    services_.log.error("record.unreadable", {{"record", record}, {"reason", why.message}});
  }
  const auto [text, code] = reason_of(why.code, time);
  ++(code == "expired"    ? unreadable_.expired
     : code == "given_up" ? unreadable_.given_up
     : code == "damaged"  ? unreadable_.damaged
                          : unreadable_.key_unavailable);
  return Value(ValueMap{{Value("$unreadable"), Value(text)}, {Value("code"), Value(code)}});
}

// Keys of jobs go when their time is over; that of a standing record never does.
asio::awaitable<PayloadReader::Time> PayloadReader::time_of(OrgId org, keys::KeyClass key, JobId job) {
  if (key == keys::KeyClass::standing) co_return Time::is_not;
  const auto found = co_await services_.stores.jobs.find(org, std::move(job));
  if (!found) co_return Time::may_be_over;
  const auto kept = co_await services_.retention.in_effect(std::move(org), domain::as_asked(found->retention));
  if (!kept) co_return Time::may_be_over;
  const auto hours = key == keys::KeyClass::logs ? kept->logs : kept->payload;
  co_return is_over(*found, hours, services_.clock.wall()) ? Time::may_be_over : Time::is_not;
}

asio::awaitable<std::expected<Secret, Value>> PayloadReader::open(keys::RecordIdentity identity, Bytes sealed) {
  auto plain = co_await services_.envelope.open(identity, sealed);
  if (plain) co_return *std::move(plain);
  auto time = Time::may_be_over;
  if (plain.error().code == Errc::not_found) time = co_await time_of(identity.org, identity.key, identity.job);
  co_return std::unexpected(mark_unreadable(identity.record, plain.error(), time));
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
