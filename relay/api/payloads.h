#pragma once

#include "relay/api/caller.h"
#include "relay/api/services.h"
#include "shared/base/value.h"

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>

namespace sallyport::api {

// Opens what is sealed, for one answer: payloads up to a bound, for callers that may see them, and messages for all who
// may read the record they belong to. What does not open (its key is not here, the record was changed) is
// {"$unreadable": why, "code": ...} in its place, and the first of an answer is logged; the rest of the answer stands.
class PayloadReader {
 public:
  static constexpr std::size_t kMostBytes = 8u << 20;
  enum class Access { granted, denied };

  PayloadReader(Services& services, Access access) : services_(services), access_(access) {}

  // Whether payloads of so many bytes, of one step, are to be fetched: access is granted and they still fit. What came
  // first is admitted whatever its size.
  bool admits(std::size_t bytes);
  // In the place of a payload that was not admitted: null when there is none or access is denied.
  Value left_out(std::size_t bytes) const;

  // The JSON inside; null when there is none or access is denied.
  boost::asio::awaitable<Value> read_json(keys::RecordIdentity identity, std::optional<Bytes> sealed);
  boost::asio::awaitable<Value> read_text(keys::RecordIdentity identity, std::optional<Bytes> sealed);
  // Why something failed; "" when there is nothing to say. Whatever the access to payloads.
  boost::asio::awaitable<Value> read_message(keys::RecordIdentity identity, std::optional<Bytes> sealed);

  // What did not open so far.
  struct Unreadable {
    std::int64_t expired = 0;
    std::int64_t key_unavailable = 0;
    std::int64_t given_up = 0;  // their key is gone for good, and their time was not over
    std::int64_t damaged = 0;
  };
  const Unreadable& unreadable() const { return unreadable_; }
  enum class Time { may_be_over, is_not };
  Value mark_unreadable(std::string_view record, const Error& why,
                        Time time = Time::may_be_over);  // what stands in its place
  bool omitted() const { return omitted_; }              // something was left out because of the bound

 private:
  boost::asio::awaitable<Time> time_of(OrgId org, keys::KeyClass key, JobId job);
  // Or what stands in its place.
  boost::asio::awaitable<std::expected<Secret, Value>> open(keys::RecordIdentity identity, Bytes sealed);

  Services& services_;
  Access access_;
  std::size_t admitted_ = 0;
  bool omitted_ = false;
  bool told_ = false;
  Unreadable unreadable_;
};

PayloadReader::Access payload_access(const Caller& caller);

}  // namespace sallyport::api
