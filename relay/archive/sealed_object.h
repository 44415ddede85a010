#pragma once

#include "relay/keys/hierarchy.h"

// A job's record as it lies in the archive, docs/envelope.md: sealed under the hour's key of its own lane, so that it
// is unreadable in every copy when its time there is over.
namespace sallyport::archive {

store::RetentionLane archive_lane(std::uint32_t hours);

struct SealedObject {
  Bytes bytes;
  store::Hour hour = 0;  // of the key
};

// For a job that ended in `hour`. `plaintext` stays with the caller and alive until the coroutine ends. Errors: those
// of keys::Hierarchy.
boost::asio::awaitable<Result<SealedObject>> seal_object(keys::Hierarchy& keys, OrgId org, JobId job,
                                                         std::uint32_t hours, store::Hour hour,
                                                         std::span<const std::byte> plaintext);
// Errc::not_found: its time is over, and its key is gone. Errc::invalid: no such object, changed, or another job's.
boost::asio::awaitable<Result<Secret>> open_object(keys::Hierarchy& keys, OrgId org, JobId job, Bytes object);

}  // namespace sallyport::archive
