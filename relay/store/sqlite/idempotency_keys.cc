#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/rows.h"

namespace sallyport::store::sqlite {
namespace {

struct KeyRow {
  Bytes request_hash;
  WallTime claimed_at;
  std::optional<std::uint32_t> status;
  Bytes sealed_body;
  std::optional<JobId> job;
};

KeyRow read_key(Row row) {
  return {.request_hash = row.bytes(),
          .claimed_at = row.time(),
          .status = row.maybe_u32(),
          .sealed_body = row.bytes(),
          .job = row.maybe_id<JobId>()};
}

bool is_over(const KeyRow& row, WallTime now) { return now - row.claimed_at >= kIdempotencyLife; }

bool is_left_behind(const KeyRow& row, WallTime now) {
  return !row.status && now - row.claimed_at >= kIdempotencyClaimLife;
}

Result<IdempotencyClaim> claim_key(Database& db, const OrgId& org, const IdempotentRequest& request) {
  SP_TRY(auto known, db.prepare("select request_hash, claimed_at, status, sealed_body, job from idempotency_keys "
                                "where org = ? and key = ?",
                                org, request.key)
                         .maybe(read_key));
  if (known && is_over(*known, request.now)) known.reset();
  const bool left_behind = known && is_left_behind(*known, request.now);
  if (known && (!left_behind || known->job)) {
    if (known->request_hash != request.request_hash) {
      return fail(Errc::conflict, "the idempotency key was used for another request");
    }
  }
  if (known && !left_behind) {
    if (!known->status) return IdempotencyClaim(InProgress{});
    return IdempotencyClaim(StoredResponse{static_cast<int>(*known->status), std::move(known->sealed_body)});
  }
  const std::optional<JobId> job = known ? known->job : std::nullopt;
  SP_CHECK(explain(db.run("insert or replace into idempotency_keys (org, key, request_hash, claimed_at, job) "
                          "values (?, ?, ?, ?, ?)",
                          org, request.key, request.request_hash, request.now, job),
                   "the idempotency key is in use", "no such organisation"));
  return IdempotencyClaim(FirstTime{});
}

Result<void> drop_claim(Database& db, const OrgId& org, const std::string& key) {
  SP_TRY(auto job, db.prepare("select job from idempotency_keys where org = ? and key = ? and status is null", org, key)
                       .one("claimed idempotency key", [](Row row) { return row.maybe_id<JobId>(); }));
  if (job) return {};
  SP_CHECK(db.run("delete from idempotency_keys where org = ? and key = ?", org, key));
  return {};
}

class SqliteIdempotencyKeys final : public IdempotencyKeys {
 public:
  explicit SqliteIdempotencyKeys(Engine& engine) : engine_(engine) {}

  awaitable<Result<IdempotencyClaim>> claim(OrgId org, IdempotentRequest request) override {
    return engine_.write([org, request = std::move(request)](Database& db) { return claim_key(db, org, request); });
  }

  awaitable<Result<void>> complete(OrgId org, std::string key, StoredResponse response) override {
    return engine_.write([org, key, response = std::move(response)](Database& db) {
      return expect_row(db.run("update idempotency_keys set status = ?, sealed_body = ? "
                               "where org = ? and key = ? and status is null",
                               response.status, response.sealed_body, org, key),
                        "claimed idempotency key");
    });
  }

  awaitable<Result<void>> abandon(OrgId org, std::string key) override {
    return engine_.write([org, key](Database& db) { return drop_claim(db, org, key); });
  }

  awaitable<Result<std::size_t>> remove_expired(WallTime now, std::size_t limit) override {
    return engine_.write([now, limit](Database& db) -> Result<std::size_t> {
      SP_TRY(auto removed, db.run("delete from idempotency_keys where (org, key) in (select org, key from "
                                  "idempotency_keys where claimed_at <= ? order by claimed_at limit ?)",
                                  now - kIdempotencyLife, static_cast<std::uint64_t>(limit)));
      return static_cast<std::size_t>(removed);
    });
  }

 private:
  Engine& engine_;
};

}  // namespace

std::unique_ptr<IdempotencyKeys> make_idempotency_keys(Engine& engine) {
  return std::make_unique<SqliteIdempotencyKeys>(engine);
}

}  // namespace sallyport::store::sqlite
