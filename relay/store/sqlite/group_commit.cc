#include "relay/store/sqlite/lane.h"

namespace sallyport::store::sqlite {
namespace {

Result<void> only_error(const Result<std::int64_t>& result) {
  if (!result) return std::unexpected(result.error());
  return {};
}

// After it the call is either applied or undone alone; or the transaction is gone (SQLite gave up all of it).
void run_under_savepoint(Database& database, Call& call) {
  call.outcome = only_error(database.run("savepoint call"));
  if (!call.outcome) return;
  call.outcome = call.work(database);
  if (!database.in_transaction()) return;
  if (!call.outcome) {
    if (!database.run("rollback to call")) database.run_quietly("rollback");
    if (!database.in_transaction()) return;
  }
  if (auto released = only_error(database.run("release call")); !released) call.outcome = std::move(released);
}

enum class Attempt { committed, lost };

struct AttemptEnd {
  Attempt attempt = Attempt::committed;
  std::size_t culprit = 0;  // the call in which the transaction was lost
};

AttemptEnd try_together(Database& database, std::span<Call* const> calls) {
  if (auto begun = only_error(database.run("begin immediate")); !begun) {
    for (Call* call : calls) call->outcome = begun;
    return {};
  }
  for (std::size_t i = 0; i < calls.size(); ++i) {
    run_under_savepoint(database, *calls[i]);
    if (!database.in_transaction()) {
      if (calls[i]->outcome) calls[i]->outcome = fail(Errc::internal, "the relay's database dropped a transaction");
      return {Attempt::lost, i};
    }
  }
  auto committed = only_error(database.run("commit"));
  if (committed) return {};
  if (database.in_transaction()) database.run_quietly("rollback");
  for (Call* call : calls) call->outcome = committed;
  return {Attempt::lost, calls.size()};
}

}  // namespace

void commit_as_group(Database& database, std::span<Call> calls) {
  std::vector<Call*> open;
  for (Call& call : calls) open.push_back(&call);
  while (!open.empty()) {
    const AttemptEnd end = try_together(database, open);
    if (end.attempt == Attempt::committed) return;
    if (end.culprit < open.size()) {
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(end.culprit));
      continue;
    }
    if (open.size() > 1) {  // the commit itself failed: it may be the size of one of them
      for (Call* call : open) (void)try_together(database, std::span(&call, 1));
    }
    return;
  }
}

}  // namespace sallyport::store::sqlite
