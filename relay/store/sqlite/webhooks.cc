#include "relay/store/webhooks.h"

#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/noted.h"
#include "relay/store/sqlite/readers.h"
#include "relay/store/sqlite/rows.h"

namespace sallyport::store::sqlite {
namespace {

constexpr std::string_view kColumns =
    "org, id, recipe, name, proof, signature_header, sealed_secrets, secret_set_at, old_secret_until, created_by, "
    "created_at";

Webhook read_webhook(Row row) {
  Webhook webhook;
  webhook.org = row.id<OrgId>();
  webhook.id = row.id<WebhookId>();
  webhook.recipe = row.id<RecipeId>();
  webhook.name = row.text();
  webhook.proof = row.text();
  webhook.signature_header = row.text();
  webhook.sealed_secrets = row.bytes();
  webhook.secret_set_at = row.time();
  webhook.old_secret_until = row.maybe_time();
  webhook.created_by = row.id<UserId>();
  webhook.created_at = row.time();
  return webhook;
}

Result<Webhook> find_webhook(Database& db, const OrgId& org, const WebhookId& id) {
  return db.prepare(select(kColumns, "from webhooks where org = ? and id = ?"), org, id).one("webhook", read_webhook);
}

Result<void> expect_recipe(Database& db, const OrgId& org, const RecipeId& recipe) {
  SP_TRY(const auto removed_at,
         db.prepare("select removed_at from recipes where org = ? and id = ?", org, recipe).one("recipe", [](Row row) {
           return row.maybe_time();
         }));
  if (removed_at) return fail(Errc::conflict, "the recipe was deleted");
  return {};
}

Result<void> expect_room(Database& db, const OrgId& org) {
  SP_TRY(const auto count, db.prepare("select count(*) from webhooks where org = ?", org).one("webhooks", [](Row row) {
    return row.u64();
  }));
  if (count < kMostWebhooks) return {};
  return fail(Errc::exhausted, fmt::format("an organisation has at most {} webhooks", kMostWebhooks));
}

Result<void> insert_webhook(Database& db, const Webhook& webhook) {
  SP_CHECK(expect_recipe(db, webhook.org, webhook.recipe));
  SP_CHECK(expect_room(db, webhook.org));
  return explain(
      db.run("insert into webhooks (org, id, recipe, name, proof, signature_header, sealed_secrets, secret_set_at, "
             "old_secret_until, created_by, created_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
             webhook.org, webhook.id, webhook.recipe, webhook.name, webhook.proof, webhook.signature_header,
             webhook.sealed_secrets, webhook.secret_set_at, webhook.old_secret_until, webhook.created_by,
             webhook.created_at),
      "a webhook with this id exists", "no such recipe");
}

Result<Webhook> change_secrets(Database& db, const OrgId& org, const WebhookId& id, const NewSecrets& secrets) {
  SP_CHECK(find_webhook(db, org, id));
  SP_TRY(const auto changed,
         db.run("update webhooks set sealed_secrets = ?, secret_set_at = ?, old_secret_until = ? "
                "where org = ? and id = ? and sealed_secrets = ?",
                secrets.sealed_secrets, secrets.set_at, secrets.old_until, org, id, secrets.before));
  if (changed == 0) return fail(Errc::conflict, "the webhook's secret has been changed meanwhile: try again");
  return find_webhook(db, org, id);
}

class SqliteWebhooks final : public Webhooks {
 public:
  explicit SqliteWebhooks(Engine& engine) : engine_(engine) {}

  awaitable<Result<void>> add(OrgId org, Webhook webhook, AuditNote<> note) override {
    webhook.org = std::move(org);
    return write_noted(
        engine_, [webhook = std::move(webhook)](Database& db) { return insert_webhook(db, webhook); }, std::move(note));
  }

  awaitable<Result<Webhook>> find(OrgId org, WebhookId id) override {
    return engine_.read([org, id](Database& db) { return find_webhook(db, org, id); });
  }

  awaitable<Result<Page<Webhook>>> list(OrgId org, PageQuery page) override {
    return engine_.read([org, page](Database& db) {
      const std::size_t limit = page.bounded_limit();
      return page_of(db.prepare(select(kColumns, "from webhooks where org = ? and id > ? order by id limit ?"), org,
                                page.after, one_more(limit)),
                     limit, read_webhook, [](const Webhook& webhook) { return webhook.id.value; });
    });
  }

  awaitable<Result<Webhook>> set_secrets(OrgId org, WebhookId id, NewSecrets secrets,
                                         AuditNote<Webhook> note) override {
    return write_noted(
        engine_, [org, id, secrets = std::move(secrets)](Database& db) { return change_secrets(db, org, id, secrets); },
        std::move(note));
  }

  awaitable<Result<Webhook>> remove(OrgId org, WebhookId id, AuditNote<Webhook> note) override {
    return write_noted(
        engine_,
        [org, id](Database& db) -> Result<Webhook> {
          SP_TRY(auto webhook, find_webhook(db, org, id));
          SP_CHECK(db.run("delete from webhooks where org = ? and id = ?", org, id));
          return webhook;
        },
        std::move(note));
  }

  awaitable<Result<Webhook>> find_for_delivery(WebhookId id) override {
    return engine_.read([id](Database& db) {
      return db.prepare(select(kColumns, "from webhooks where id = ?"), id).one("webhook", read_webhook);
    });
  }

 private:
  Engine& engine_;
};

}  // namespace

std::unique_ptr<Webhooks> make_webhooks(Engine& engine) { return std::make_unique<SqliteWebhooks>(engine); }

}  // namespace sallyport::store::sqlite
