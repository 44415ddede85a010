#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/noted.h"
#include "relay/store/sqlite/readers.h"
#include "relay/store/sqlite/rows.h"

namespace sallyport::store::sqlite {
namespace {

Organisation read_organisation(Row row) {
  return {.id = row.id<OrgId>(), .name = row.text(), .created_at = row.time()};
}

Result<void> insert_organisation(Database& db, const Organisation& organisation) {
  return explain(db.run("insert into organisations (id, name, created_at) values (?, ?, ?)", organisation.id,
                        organisation.name, organisation.created_at),
                 "an organisation with this name or id exists", "no such organisation");
}

Result<void> insert_founding(Database& db, const Founding& founding) {
  const OrgId& org = founding.organisation.id;
  SP_CHECK(insert_organisation(db, founding.organisation));
  SP_CHECK(insert_user(db, org, founding.owner));
  return insert_api_token(db, org, founding.first_token);
}

class SqliteOrganisations final : public Organisations {
 public:
  explicit SqliteOrganisations(Engine& engine) : engine_(engine) {}

  awaitable<Result<void>> add(Organisation organisation) override {
    return engine_.write(
        [organisation = std::move(organisation)](Database& db) { return insert_organisation(db, organisation); });
  }

  awaitable<Result<void>> found(Founding founding, AuditNote<> note) override {
    return write_noted(
        engine_, [founding = std::move(founding)](Database& db) { return insert_founding(db, founding); },
        std::move(note));
  }

  awaitable<Result<Organisation>> find(OrgId org) override {
    return engine_.read([org](Database& db) {
      return db.prepare("select id, name, created_at from organisations where id = ?", org)
          .one("organisation", read_organisation);
    });
  }

  awaitable<Result<void>> rename(OrgId org, std::string name, AuditNote<> note) override {
    return write_noted(
        engine_,
        [org, name](Database& db) -> Result<void> {
          auto changed = db.run("update organisations set name = ? where id = ?", name, org);
          SP_CHECK(explain(changed, "an organisation with this name exists", "no such organisation"));
          return expect_row(changed, "organisation");
        },
        std::move(note));
  }

  awaitable<Result<Organisation>> find_by_name(std::string name) override {
    return engine_.read([name](Database& db) {
      return db.prepare("select id, name, created_at from organisations where name = ?", name)
          .one("organisation", read_organisation);
    });
  }

  awaitable<Result<Page<Organisation>>> list_all(PageQuery page) override {
    return engine_.read([page](Database& db) {
      const std::size_t limit = page.bounded_limit();
      return page_of(db.prepare("select id, name, created_at from organisations where id > ? order by id limit ?",
                                page.after, one_more(limit)),
                     limit, read_organisation, [](const Organisation& o) { return o.id.value; });
    });
  }

 private:
  Engine& engine_;
};

}  // namespace

std::unique_ptr<Organisations> make_organisations(Engine& engine) {
  return std::make_unique<SqliteOrganisations>(engine);
}

}  // namespace sallyport::store::sqlite
