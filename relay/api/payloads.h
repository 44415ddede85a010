#pragma once

#include "relay/keys/envelope.h"
#include "relay/store/history.h"
#include "shared/base/value.h"

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <optional>

namespace sallyport::api {

// Opens sealed payloads for one answer, up to a bound, for callers that may see them. What cannot be opened any more
// (its key is gone) is said to be unreadable; it is no error.
class PayloadReader {
 public:
  static constexpr std::size_t kMostBytes = 8u << 20;
  enum class Access { granted, denied };

  PayloadReader(keys::Envelope& envelope, Access access) : envelope_(envelope), access_(access) {}

  // Whether payloads of so many bytes, of one step, are to be fetched: access is granted and they still fit. What came
  // first is admitted whatever its size.
  bool admits(std::size_t bytes);
  // In the place of a payload that was not admitted: null when there is none or access is denied.
  Value left_out(std::size_t bytes) const;

  // The JSON inside; null when there is none or access is denied.
  boost::asio::awaitable<Result<Value>> read_json(keys::RecordIdentity identity, std::optional<Bytes> sealed);
  boost::asio::awaitable<Result<Value>> read_text(keys::RecordIdentity identity, std::optional<Bytes> sealed);

  bool omitted() const { return omitted_; }  // something was left out because of the bound

 private:
  boost::asio::awaitable<Result<std::optional<std::string>>> open(keys::RecordIdentity identity, Bytes sealed);

  keys::Envelope& envelope_;
  Access access_;
  std::size_t admitted_ = 0;
  bool omitted_ = false;
};

keys::RecordIdentity log_identity(const OrgId& org, const JobId& job, const store::HistoryEvent& event);

}  // namespace sallyport::api
