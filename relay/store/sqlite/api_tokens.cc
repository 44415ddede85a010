#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/noted.h"
#include "relay/store/sqlite/readers.h"
#include "relay/store/sqlite/rows.h"

namespace sallyport::store::sqlite {
namespace {

constexpr std::chrono::minutes kUseResolution{1};

constexpr std::string_view kTokenColumns =
    "t.id, t.org, t.user, t.name, t.secret_hash, t.scopes, t.created_at, t.expires_at, t.revoked_at, t.last_used_at";

ApiToken read_token(Row& row) {
  return {.id = row.id<ApiTokenId>(),
          .org = row.id<OrgId>(),
          .user = row.id<UserId>(),
          .name = row.text(),
          .secret_hash = row.bytes(),
          .scopes = domain::ScopeSet::from_bits(row.u64()),
          .created_at = row.time(),
          .expires_at = row.maybe_time(),
          .revoked_at = row.maybe_time(),
          .last_used_at = row.maybe_time()};
}

ApiToken read_one_token(Row row) { return read_token(row); }

class SqliteApiTokens final : public ApiTokens {
 public:
  explicit SqliteApiTokens(Engine& engine) : engine_(engine) {}

  awaitable<Result<void>> add(OrgId org, ApiToken token, AuditNote<> note) override {
    return write_noted(
        engine_, [org, token = std::move(token)](Database& db) { return insert_api_token(db, org, token); },
        std::move(note));
  }

  awaitable<Result<ApiToken>> find(OrgId org, ApiTokenId id) override {
    return engine_.read([org, id](Database& db) {
      return db.prepare(select(kTokenColumns, "from api_tokens t where t.org = ? and t.id = ?"), org, id)
          .one("API token", read_one_token);
    });
  }

  awaitable<Result<Page<ApiToken>>> list(OrgId org, PageQuery page) override {
    return engine_.read([org, page](Database& db) {
      const std::size_t limit = page.bounded_limit();
      return page_of(
          db.prepare(select(kTokenColumns, "from api_tokens t where t.org = ? and t.id > ? order by t.id limit ?"), org,
                     page.after, one_more(limit)),
          limit, read_one_token, [](const ApiToken& token) { return token.id.value; });
    });
  }

  awaitable<Result<void>> revoke(OrgId org, ApiTokenId id, WallTime now, AuditNote<> note) override {
    return write_noted(
        engine_,
        [org, id, now](Database& db) {
          return expect_row(
              db.run("update api_tokens set revoked_at = coalesce(revoked_at, ?) where org = ? and id = ?", now, org,
                     id),
              "API token");
        },
        std::move(note));
  }

  awaitable<Result<void>> used(OrgId org, ApiTokenId id, WallTime now) override {
    auto last = co_await find(org, id);
    if (!last) co_return std::unexpected(last.error());
    if (last->last_used_at && now - *last->last_used_at < kUseResolution) co_return Result<void>();
    co_return co_await engine_.write([org, id, now](Database& db) {
      return expect_row(db.run("update api_tokens set last_used_at = ? where org = ? and id = ?", now, org, id),
                        "API token");
    });
  }

  awaitable<Result<ApiTokenAndUser>> find_for_authentication(ApiTokenId id) override {
    return engine_.read([id](Database& db) {
      const std::string columns = std::string(kTokenColumns).append(", ").append(kUserColumns);
      return db
          .prepare(select(columns, "from api_tokens t join users u on u.org = t.org and u.id = t.user where t.id = ?"),
                   id)
          .one("API token", [](Row row) { return ApiTokenAndUser{.token = read_token(row), .user = read_user(row)}; });
    });
  }

 private:
  Engine& engine_;
};

}  // namespace

Result<void> insert_api_token(Database& db, const OrgId& org, const ApiToken& token) {
  return explain(db.run("insert into api_tokens (id, org, user, name, secret_hash, scopes, created_at, expires_at) "
                        "values (?, ?, ?, ?, ?, ?, ?, ?)",
                        token.id, org, token.user, token.name, token.secret_hash, token.scopes.bits(), token.created_at,
                        token.expires_at),
                 "an API token with this id exists", "no such user");
}

std::unique_ptr<ApiTokens> make_api_tokens(Engine& engine) { return std::make_unique<SqliteApiTokens>(engine); }

}  // namespace sallyport::store::sqlite
