#include "relay/archive/archiver.h"

#include "shared/base/text.h"
#include "shared/crypto/random.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace sallyport::archive {

namespace asio = boost::asio;

namespace {

constexpr unsigned kPassesBetweenRemovals = 30;
constexpr std::size_t kRandomName = 16;

std::chrono::seconds delay_after(std::uint32_t failures) {
  const auto doubled = Archiver::kFirstDelay * (std::int64_t{1} << std::min(failures, 10u));
  return std::min<std::chrono::seconds>(doubled, Archiver::kLongestDelay);
}

void tell(const Log& log, const Result<std::size_t>& gone) {
  if (!gone) log.error("archive.not_removed", {{"reason", gone.error().message}});
  if (gone && *gone > 0) log.info("archive.removed", {{"jobs", *gone}});
}

// What an organisation is told of a place that does not work.
std::string_view words_of(Errc code) {
  if (code == Errc::forbidden || code == Errc::unauthenticated)
    return "the archive refuses the relay; the relay's log tells its operator why";
  return "the archive cannot be used now; the relay's log tells its operator why";
}

}  // namespace

std::string object_name(WallTime ended) {
  return fmt::format("{:%Y/%m/%d}/{}.sallyport", std::chrono::floor<std::chrono::days>(ended),
                     hex(crypto::random_bytes(kRandomName)));
}

Archiver::Archiver(Parts parts)
    : parts_(std::move(parts)),
      waiting_(parts_.metrics.gauge("sallyport_archive_waiting", "Records of jobs that wait for their archive.")),
      to_remove_(parts_.metrics.gauge("sallyport_archive_to_remove", "Objects of erased organisations in archives.")),
      archived_(parts_.metrics.counter("sallyport_archived_total", "Records of jobs put into an archive.")),
      failures_(parts_.metrics.counter("sallyport_archive_failures_total", "Tries to archive a record that failed.")),
      given_up_(parts_.metrics.counter("sallyport_not_archived_total", "Records that came into no archive.")) {}

asio::awaitable<void> Archiver::run() {
  asio::steady_timer pause(co_await asio::this_coro::executor);
  for (unsigned round = 0;; ++round) {
    co_await pass();
    tell(parts_.log, co_await remove_erased());
    if (round % kPassesBetweenRemovals == 0) tell(parts_.log, co_await remove_ended());
    pause.expires_after(kPause);
    co_await pause.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<void> Archiver::pass() {
  for (bool more = true; more;) {
    const auto done = co_await archive_due();
    if (!done) parts_.log.error("archive.failed", {{"reason", done.error().message}});
    more = done.value_or(0) == kAtOnce;
  }
  if (const auto waiting = co_await parts_.archive.count_waiting()) waiting_.set(static_cast<std::int64_t>(*waiting));
  if (const auto left = co_await parts_.archive.count_to_remove()) to_remove_.set(static_cast<std::int64_t>(*left));
}

std::string Archiver::trouble_at(std::string_view place) const {
  const auto found = trouble_.find(place);
  return found == trouble_.end() ? "" : found->second.told;
}

std::vector<std::string> Archiver::places() const {
  std::vector<std::string> names;
  for (const auto& [name, place] : parts_.places) names.push_back(name);
  return names;
}

void Archiver::note(const std::string& place, const Result<void>& outcome) {
  auto& known = trouble_[place];
  const auto why = outcome ? std::string() : outcome.error().message;
  if (known.why == why) return;
  if (!outcome) parts_.log.error("archive.waits", {{"target", place}, {"reason", why}});
  if (outcome && !known.why.empty()) parts_.log.info("archive.works", {{"target", place}});
  known = {why, outcome ? "" : std::string(words_of(outcome.error().code))};
}

Result<Place*> Archiver::place(std::string_view name) const {
  const auto found = parts_.places.find(name);
  if (found == parts_.places.end())
    return fail(Errc::unavailable, fmt::format("relay.yaml has no archive \"{}\" any more", name));
  return found->second.get();
}

asio::awaitable<Result<std::size_t>> Archiver::archive_due() {
  const auto now = parts_.clock.wall();
  SP_CO_TRY(const auto due, co_await parts_.archive.due(now, now + kLongestDelay, kAtOnce));
  std::size_t settled = 0;
  std::set<std::string> broken;  // in this pass: one place that does not answer holds up no other
  for (const auto& waiting : due) {
    const auto done = co_await archive_one(waiting, broken);
    if (done) {
      ++settled;
    } else {
      SP_CO_CHECK(co_await put_off(waiting));
    }
  }
  co_return settled;
}

asio::awaitable<Result<void>> Archiver::archive_one(store::WaitingRecord waiting, std::set<std::string>& broken) {
  const auto job = co_await parts_.jobs.find(waiting.org, waiting.job);
  if (!job && job.error().code == Errc::not_found) co_return co_await give_up(waiting, "the job is gone");
  if (!job) co_return std::unexpected(job.error());
  if (data_is_gone(*job)) co_return co_await give_up(waiting, "the retention of its data has ended");
  SP_CO_TRY(const auto place, co_await parts_.archive.place(waiting.org));
  if (place.empty()) co_return co_await give_up(waiting, "the organisation has no archive any more");
  if (broken.contains(place)) co_return fail(Errc::unavailable, trouble_at(place));
  SP_CO_TRY(auto object, co_await make_object(*job));
  if (object.bytes.size() > parts_.most_object) co_return co_await give_up(waiting, "its record is too large");
  store::ArchivedRecord record{.job = job->id,
                               .place = place,
                               .object = object_name(job->finished_at.value_or(job->created_at)),
                               .hours = static_cast<std::uint32_t>(job->retention.archive.count()),
                               .hour = object.hour,
                               .size = object.bytes.size(),
                               .archived_at = parts_.clock.wall()};
  SP_CO_TRY(record.object, co_await parts_.archive.intend(job->org, record));
  put_now_.emplace(place, record.object);
  auto put = co_await put_object(record, std::move(object.bytes));
  put_now_.erase({place, record.object});
  if (!put) {
    broken.insert(place);
    co_return put;
  }
  SP_CO_CHECK(co_await parts_.archive.settle(job->org, std::move(record)));
  archived_.add();
  co_return Result<void>();
}

asio::awaitable<Result<SealedObject>> Archiver::make_object(const store::Job& job) {
  const auto ended = store::hour_of(job.finished_at.value_or(parts_.clock.wall()));
  const auto hours = static_cast<std::uint32_t>(job.retention.archive.count());
  SP_CO_TRY(auto text, co_await parts_.records.make(job));
  auto sealed = co_await seal_object(parts_.keys, job.org, job.id, hours, ended, as_bytes(text));
  wipe(text.data(), text.size());
  co_return sealed;
}

asio::awaitable<Result<void>> Archiver::put_object(const store::ArchivedRecord& record, Bytes bytes) {
  const auto to = place(record.place);
  Result<void> put;
  if (to) {
    put = co_await (*to)->put(record.object, std::move(bytes));
  } else {
    put = std::unexpected(to.error());
  }
  note(record.place, put);
  co_return put;
}

bool Archiver::data_is_gone(const store::Job& job) const {
  const auto now = parts_.believed();
  if (!now || !job.finished_at) return false;
  const auto expiry = domain::expiry_of(*job.finished_at, job.retention.payload);
  return !expiry || *expiry <= *now;
}

asio::awaitable<Result<void>> Archiver::give_up(store::WaitingRecord waiting, std::string reason) {
  given_up_.add();
  parts_.log.error("archive.given_up", {{"org", waiting.org.value}, {"job", waiting.job.value}, {"reason", reason}});
  AuditRecord record{.actor = "system", .action = "job.not_archived", .target = "job:" + waiting.job.value};
  record.outcome = AuditOutcome::failed;
  record.detail = {{"reason", std::move(reason)}};
  co_return co_await parts_.archive.give_up(waiting.org, waiting.job,
                                            parts_.audit.note(waiting.org, std::move(record)));
}

asio::awaitable<Result<void>> Archiver::put_off(store::WaitingRecord waiting) {
  failures_.add();
  const auto until = parts_.clock.wall() + delay_after(waiting.failures);
  co_return co_await parts_.archive.put_off(std::move(waiting.org), std::move(waiting.job), until);
}

asio::awaitable<Result<std::size_t>> Archiver::remove_ended() {
  SP_CO_TRY(const auto lanes, co_await parts_.key_store.lanes());
  std::map<std::string, std::vector<store::EndedObjects>> by_place;
  for (const auto& lane : lanes) {
    if (lane.lane != archive_lane(lane.lane.hours)) continue;
    SP_CO_TRY(const auto ended, co_await parts_.archive.ended(lane.org, lane.lane.hours, lane.position));
    for (const auto& one : ended) by_place[one.place].push_back(one);
  }
  std::size_t gone = 0;
  for (auto& [name, ended] : by_place) {
    if (rests(ended_rests_[name])) continue;
    SP_CO_TRY(const auto removed, co_await remove_ended_at(name, std::move(ended)));
    gone += removed;
  }
  co_return gone;
}

// From another one after each failure: an object that cannot be removed keeps no other one from going.
asio::awaitable<Result<std::size_t>> Archiver::remove_ended_at(std::string name,
                                                               std::vector<store::EndedObjects> ended) {
  auto& rest = ended_rests_[name];
  std::uint64_t all = 0;
  for (const auto& lane : ended) all += lane.count;
  auto skip = rest.turn % all;
  std::size_t gone = 0;
  for (const auto& lane : ended) {
    if (skip >= lane.count) {
      skip -= lane.count;
      continue;
    }
    const auto most = kRemovedAtOnce - gone;
    SP_CO_TRY(const auto records, co_await parts_.archive.objects_of(lane, std::exchange(skip, 0), most));
    for (const auto& record : records) {
      if (!co_await take_away(rest, name, record.object)) co_return gone;
      SP_CO_CHECK(co_await parts_.archive.remove(lane.org, record.job, name));
      ++gone;
    }
    if (gone == kRemovedAtOnce) break;
  }
  co_return gone;
}

asio::awaitable<Result<std::size_t>> Archiver::remove_erased(std::optional<SteadyTime> until) {
  SP_CO_TRY(const auto places, co_await parts_.archive.places_to_clear());
  std::size_t gone = 0;
  for (const auto& name : places) {
    if (rests(erased_rests_[name])) continue;
    SP_CO_TRY(const auto cleared, co_await clear(name, until));
    gone += cleared;
  }
  co_return gone;
}

// What is being put stays on the list: it would be there again.
asio::awaitable<Result<std::size_t>> Archiver::clear(std::string name, std::optional<SteadyTime> until) {
  SP_CO_TRY(const auto objects, co_await parts_.archive.to_remove(name, kRemovedAtOnce));
  std::size_t gone = 0;
  for (const auto& one : objects) {
    if (until && parts_.clock.steady() > *until) break;
    if (put_now_.contains({name, one.object})) continue;
    if (!co_await take_away(erased_rests_[name], name, one.object)) {
      SP_CO_CHECK(co_await parts_.archive.not_removed(one));
      break;
    }
    SP_CO_CHECK(co_await parts_.archive.removed(one));
    ++gone;
  }
  co_return gone;
}

// Whether it is gone.
asio::awaitable<bool> Archiver::take_away(Rest& rest, std::string from, std::string object) {
  const auto done = co_await remove_object(from, std::move(object));
  if (done) {
    rest.failures = 0;
    co_return true;
  }
  ++rest.turn;
  rest.until = parts_.clock.steady() + delay_after(rest.failures++);
  parts_.log.error("archive.not_removed", {{"target", from}, {"reason", done.error().message}});
  co_return false;
}

asio::awaitable<Result<void>> Archiver::remove_object(std::string from, std::string object) {
  SP_CO_TRY(auto* const at, place(from));
  co_return co_await at->remove(std::move(object));
}

asio::awaitable<Result<Secret>> Archiver::read(OrgId org, JobId job) {
  SP_CO_TRY(const auto record, co_await parts_.archive.find(org, job));
  SP_CO_TRY(auto* const from, place(record.place));
  auto object = co_await from->get(record.object);
  if (!object) {
    parts_.log.error("archive.not_read", {{"target", record.place}, {"reason", object.error().message}});
    co_return fail(object.error().code, std::string(words_of(object.error().code)));
  }
  co_return co_await open_object(parts_.keys, std::move(org), std::move(job), *std::move(object));
}

}  // namespace sallyport::archive
