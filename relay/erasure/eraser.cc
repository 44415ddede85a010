#include "relay/erasure/eraser.h"

#include "relay/erasure/receipt.h"
#include "shared/base/json.h"
#include "shared/crypto/new_id.h"

#include <fmt/format.h>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

namespace sallyport::erasure {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kRowsAtOnce = 500;  // in one transaction, so that others are not kept waiting
constexpr std::chrono::seconds kObjectsAgain{1};

}  // namespace

Eraser::Eraser(const asio::any_io_executor& executor, Parts parts)
    : parts_(std::move(parts)),
      work_(executor),
      open_(parts_.metrics.gauge("sallyport_erasures_open", "Erasures that were ordered and are not finished.")) {}

store::Erasure Eraser::erasure_of(store::ErasedSubject subject, OrgId org, Order order) const {
  return {.id = order.id.empty() ? crypto::new_id<ErasureId>(parts_.clock) : std::move(order.id),
          .subject = subject,
          .org = std::move(org),
          .person = {},
          .asked_by = std::move(order.asked_by),
          .asked_at = parts_.clock.wall()};
}

asio::awaitable<Result<store::Erasure>> Eraser::begin_person(OrgId org, UserId person, Order order,
                                                             store::AuditNote<store::UserChange> note) {
  auto erasure = erasure_of(store::ErasedSubject::person, std::move(org), std::move(order));
  erasure.person = std::move(person);
  SP_CO_TRY([[maybe_unused]] const auto removed, co_await parts_.store.begin_person(erasure, std::move(note)));
  open_.add(1);
  work_.set();
  co_return erasure;
}

asio::awaitable<Result<store::Erasure>> Eraser::begin_organisation(OrgId org, Order order, store::AuditNote<> note) {
  auto erasure = erasure_of(store::ErasedSubject::organisation, std::move(org), std::move(order));
  SP_CO_CHECK(co_await parts_.store.begin_organisation(erasure, std::move(note)));
  open_.add(1);
  work_.set();
  co_return erasure;
}

asio::awaitable<void> Eraser::run() {
  for (;;) {
    work_.clear();
    if (co_await look()) {
      co_await work_.wait();
    } else {
      co_await work_.wait_until(std::chrono::steady_clock::now() + kAgain);
    }
  }
}

asio::awaitable<bool> Eraser::look() {
  const auto open = co_await parts_.store.unfinished();
  if (!open) {
    parts_.log.error("erasure.waits", {{"reason", open.error().message}});
    co_return false;
  }
  const auto repeated = co_await repeat();
  const auto trouble = repeated ? std::string() : repeated.error().message;
  const bool is_news = std::exchange(told_, trouble) != trouble;
  if (!repeated && is_news) parts_.log.error("erasure.waits", {{"reason", trouble}});
  bool all = repeated.has_value();
  open_.set(static_cast<std::int64_t>(open->size()));
  for (const auto& erasure : *open) {
    const auto done = co_await complete(erasure);
    if (!done) parts_.log.error("erasure.waits", {{"erasure", erasure.id.value}, {"reason", done.error().message}});
    if (done) open_.add(-1);
    all = all && done.has_value();
  }
  co_return all;
}

// Nobody exchanges keys.db while the relay runs.
asio::awaitable<Result<void>> Eraser::repeat() {
  if (repeated_) co_return Result<void>();
  SP_CO_TRY(const auto organisations, co_await parts_.store.without_keys());
  std::uint64_t last = 0;  // epoch of the anchor in which keys were destroyed
  for (const auto& gone : organisations) {
    SP_CO_TRY(auto destroyed, co_await parts_.key_store.erased(gone.org));
    if (!destroyed) {
      SP_CO_CHECK(co_await parts_.quieten(gone.org));
      SP_CO_TRY(destroyed, co_await parts_.keys.erase(gone.org));
      parts_.log.warn("erasure.repeated",
                      {{"erasure", gone.erasure.value}, {"org", gone.org.value}, {"hours", destroyed->hours}});
    }
    last = std::max(last, destroyed->epoch_after);
  }
  if (last > 0 && parts_.end_key_backups_before) SP_CO_CHECK(co_await parts_.end_key_backups_before(last));
  repeated_ = true;
  co_return Result<void>();
}

asio::awaitable<Result<void>> Eraser::complete(store::Erasure erasure) {
  if (erasure.subject == store::ErasedSubject::organisation) {
    SP_CO_CHECK(co_await parts_.quieten(erasure.org));
    SP_CO_CHECK(co_await destroy_keys(erasure));
  }
  SP_CO_CHECK(co_await erase_rows(erasure));
  if (erasure.subject == store::ErasedSubject::organisation && parts_.renew_key_backups) {
    SP_CO_CHECK(co_await parts_.renew_key_backups());  // a folder that is away holds up the receipt, and nothing else
  }
  SP_CO_CHECK(co_await remove_objects(erasure.id));
  co_return co_await give_receipt(std::move(erasure));
}

asio::awaitable<Result<void>> Eraser::destroy_keys(store::Erasure& erasure) {
  SP_CO_TRY(const auto destroyed, co_await parts_.keys.erase(erasure.org));
  erasure.keys = keys_json(destroyed);
  co_return co_await parts_.store.note_keys(erasure.id, erasure.keys);
}

asio::awaitable<Result<void>> Eraser::erase_rows(store::Erasure erasure) {
  for (std::size_t gone = 1; gone > 0;) {
    SP_CO_TRY(gone, co_await parts_.store.erase_some(erasure, kRowsAtOnce));
  }
  for (bool more = true; more;) {
    SP_CO_TRY(more, co_await parts_.job_keys.reclaim());
  }
  co_return Result<void>();
}

// Their keys are gone by now. Whoever stands behind remove_objects goes on with what is left.
asio::awaitable<Result<void>> Eraser::remove_objects(ErasureId id) {
  if (!parts_.remove_objects) co_return Result<void>();
  const auto deadline = parts_.clock.steady() + parts_.objects_patience;
  asio::steady_timer pause(co_await asio::this_coro::executor);
  for (;;) {
    SP_CO_TRY(const auto objects, co_await parts_.store.objects(id));
    if (objects.left == 0) co_return Result<void>();
    const auto gone = co_await parts_.remove_objects(deadline);
    const auto now = parts_.clock.steady();
    if (now >= deadline) co_return Result<void>();
    if (gone.value_or(0) > 0) continue;
    pause.expires_after(std::min<SteadyTime::duration>(deadline - now, kObjectsAgain));
    co_await pause.async_wait(asio::use_awaitable);
  }
}

// The ledgers hear of it first, so that their heads in the receipt are behind it. Cut short in between, they hear of it
// twice.
asio::awaitable<Result<void>> Eraser::give_receipt(store::Erasure erasure) {
  const auto target = erasure.subject == store::ErasedSubject::person ? "user:" + erasure.person.value
                                                                      : "organisation:" + erasure.org.value;
  const AuditRecord record{.actor = "system",
                           .action = fmt::format("{}.erased", to_string(erasure.subject)),
                           .target = target,
                           .detail = {{Value("erasure"), Value(erasure.id.value)}}};
  for (const auto& ledger : {erasure.org, store::system_ledger()}) {
    SP_CO_CHECK(co_await parts_.audit.record(ledger, record));
  }
  Outcome outcome{.erasure = erasure,
                  .rows = {},
                  .objects = {},
                  .finished_at = parts_.clock.wall(),
                  .key_backups = parts_.key_backups_kept,
                  .ledger = {},
                  .system_ledger = {}};
  SP_CO_TRY(outcome.rows, co_await parts_.store.rows(erasure.id));
  SP_CO_TRY(outcome.objects, co_await parts_.store.objects(erasure.id));
  SP_CO_TRY(outcome.ledger, co_await parts_.store.head(erasure.org));
  SP_CO_TRY(outcome.system_ledger, co_await parts_.store.head(store::system_ledger()));
  SP_CO_TRY(const auto receipt, co_await parts_.receipts.sign(receipt_of(outcome)));
  SP_CO_CHECK(co_await parts_.store.finish(erasure.id, outcome.finished_at, to_json(receipt)));
  parts_.log.info("erasure.done", {{"erasure", erasure.id.value}, {"subject", to_string(erasure.subject)}});
  co_return Result<void>();
}

}  // namespace sallyport::erasure
