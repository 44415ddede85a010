#include "relay/api/payloads.h"

#include "shared/base/json.h"

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

constexpr JsonLimits kStoredLimits{.max_bytes = 64u << 20, .max_depth = 64};

Value unreadable() { return Value(ValueMap{{Value("$unreadable"), Value("this payload is not kept any more")}}); }

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

asio::awaitable<Result<std::optional<std::string>>> PayloadReader::open(keys::RecordIdentity identity, Bytes sealed) {
  auto plain = co_await envelope_.open(std::move(identity), sealed);
  if (!plain && plain.error().code == Errc::invalid) co_return std::nullopt;
  if (!plain) co_return std::unexpected(std::move(plain).error());
  co_return std::string(plain->reveal());
}

asio::awaitable<Result<Value>> PayloadReader::read_json(keys::RecordIdentity identity, std::optional<Bytes> sealed) {
  if (!sealed || access_ == Access::denied) co_return Value();
  SP_CO_TRY(const auto text, co_await open(std::move(identity), *std::move(sealed)));
  if (!text) co_return unreadable();
  co_return parse_stored_json(*text, kStoredLimits);
}

asio::awaitable<Result<Value>> PayloadReader::read_text(keys::RecordIdentity identity, std::optional<Bytes> sealed) {
  if (!sealed || access_ == Access::denied) co_return Value();
  SP_CO_TRY(const auto text, co_await open(std::move(identity), *std::move(sealed)));
  co_return text ? Value(*text) : unreadable();
}

keys::RecordIdentity log_identity(const OrgId& org, const JobId& job, const store::HistoryEvent& event) {
  return {org, "history", "text", store::entry_record(job, event.epoch, event.job_seq)};
}

}  // namespace sallyport::api
