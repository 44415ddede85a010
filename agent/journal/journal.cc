#include "agent/journal/journal.h"

#include "agent/journal/journal_impl.h"
#include "agent/platform/secret_file.h"

#include <tuple>

namespace sallyport::journal {
namespace {

Result<OutboxDelta> write_batch(Journal::Impl& impl, const Batch& batch) {
  SP_CHECK(impl.database.script("SAVEPOINT batch"));
  ChangeWriter writer(impl);
  auto written = writer.write(batch);
  if (!written && impl.database.in_transaction()) SP_CHECK(impl.database.script("ROLLBACK TO batch"));
  if (impl.database.in_transaction()) SP_CHECK(impl.database.script("RELEASE batch"));
  if (!written) return std::unexpected(std::move(written).error());
  return writer.delta();
}

void fail_all(std::vector<Result<void>>& outcomes, const Error& why) {
  for (auto& outcome : outcomes) {
    if (outcome) outcome = std::unexpected(why);
  }
}

}  // namespace

Journal::Journal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Journal::~Journal() = default;

Result<std::unique_ptr<Journal>> Journal::open(JournalOptions options) {
  const std::string where = "journal " + options.file.string();
  if (auto made = platform::make_private_file(options.file.string()); !made) {
    return fail(made.error().code, made.error().message + "; check the state directory and its permissions");
  }
  auto database = Database::open(options.file, options.vfs);
  if (!database) return in_context(where, std::move(database).error());
  if (auto ready = prepare_schema(*database); !ready) return in_context(where, std::move(ready).error());
  auto impl = std::make_unique<Impl>(std::move(options), *std::move(database));
  auto sized = impl->database.each("SELECT count(*), coalesce(sum(size), 0) FROM outbox", [&](const Row& row) {
    impl->outbox = {static_cast<std::uint64_t>(row.integer(0)), static_cast<std::uint64_t>(row.integer(1))};
  });
  if (!sized) return in_context(where, std::move(sized).error());
  return std::unique_ptr<Journal>(new Journal(std::move(impl)));
}

Result<void> Journal::apply(const Batch& batch) { return std::move(apply_all(std::span(&batch, 1)).front()); }

std::vector<Result<void>> Journal::apply_all(std::span<const Batch> batches) {
  std::vector<Result<void>> outcomes(batches.size());
  auto& db = impl_->database;
  if (auto begun = db.script("BEGIN IMMEDIATE"); !begun) {
    fail_all(outcomes, begun.error());
    return outcomes;
  }
  OutboxDelta total;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    auto written = write_batch(*impl_, batches[i]);
    if (written) {
      total.rows += written->rows;
      total.bytes += written->bytes;
      continue;
    }
    outcomes[i] = std::unexpected(written.error());
    if (!db.in_transaction()) {  // SQLite gave up the whole transaction: earlier batches are gone too
      fail_all(outcomes, written.error());
      return outcomes;
    }
  }
  if (auto committed = db.script("COMMIT"); !committed) {
    if (db.in_transaction()) std::ignore = db.script("ROLLBACK");
    fail_all(outcomes, committed.error());
    return outcomes;
  }
  impl_->outbox.rows += static_cast<std::uint64_t>(total.rows);
  impl_->outbox.bytes += static_cast<std::uint64_t>(total.bytes);
  return outcomes;
}

OutboxSize Journal::outbox_size() const { return impl_->outbox; }

bool Journal::outbox_full() const {
  return impl_->outbox.rows >= impl_->options.max_outbox_rows || impl_->outbox.bytes >= impl_->options.max_outbox_bytes;
}

}  // namespace sallyport::journal
