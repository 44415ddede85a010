#pragma once

#include "relay/jobs/outlines.h"
#include "relay/keys/envelope.h"
#include "relay/store/history.h"
#include "relay/store/jobs.h"
#include "shared/base/value.h"

#include <cstddef>
#include <string>

namespace sallyport::archive {

inline constexpr std::size_t kMostRecord = 32u << 20;  // bytes; what does not fit is marked as left out

// A job's record, as docs/envelope.md describes it: lines of canonical JSON with what the web API shows of an ended
// job. What is masked is not in it.
class RecordMaker {
 public:
  struct Parts {
    store::Jobs& jobs;
    store::History& history;
    jobs::RecipeOutlines& outlines;
    keys::Envelope& envelope;
  };
  explicit RecordMaker(Parts parts) : parts_(parts) {}

  // Errors: those of the stores; of the envelope what a later try may do better. What does not open for good is
  // {"$unreadable": why} in its place.
  boost::asio::awaitable<Result<std::string>> make(store::Job job);

 private:
  struct Draft;
  boost::asio::awaitable<Result<Value>> open(keys::RecordIdentity identity, std::optional<Bytes> sealed);
  boost::asio::awaitable<Result<Value>> open_json(keys::RecordIdentity identity, std::optional<Bytes> sealed);
  boost::asio::awaitable<Result<Value>> trigger_of(const store::Job& job);
  boost::asio::awaitable<Result<void>> add_steps(Draft& draft, const store::Job& job);
  boost::asio::awaitable<Result<void>> add_step(Draft& draft, const store::Job& job, store::Step step);
  boost::asio::awaitable<Result<void>> add_events(Draft& draft, const store::Job& job);

  Parts parts_;
};

}  // namespace sallyport::archive
