#pragma once

#include "relay/jobs/outlines.h"
#include "relay/keys/envelope.h"
#include "relay/store/history.h"
#include "relay/store/jobs.h"
#include "shared/base/value.h"

#include <cstddef>
#include <string>

namespace sallyport::archive {

// Bytes. What does not fit is left out, and the last line says how much. Sealed it fits into kMostObject, and as a
// string of JSON, in which no byte of it takes more than two, into an answer that the CLI takes.
inline constexpr std::size_t kMostRecord = 31u << 20;

// A job's record, as docs/envelope.md describes it: lines of canonical JSON with what the web API shows of an ended
// job. What is masked is not in it.
class RecordMaker {
 public:
  struct Parts {
    store::Jobs& jobs;
    store::History& history;
    jobs::RecipeOutlines& outlines;
    keys::Envelope& envelope;
    std::size_t most = kMostRecord;
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
  boost::asio::awaitable<Result<void>> add_event(Draft& draft, const store::Job& job, store::HistoryEvent event);
  boost::asio::awaitable<Result<void>> add_events(Draft& draft, const store::Job& job);

  Parts parts_;
};

}  // namespace sallyport::archive
