#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/noted.h"
#include "relay/store/sqlite/readers.h"
#include "relay/store/sqlite/rows.h"

namespace sallyport::store::sqlite {
namespace {

std::string_view to_text(domain::PlatformRights rights) {
  return rights == domain::PlatformRights::admin ? "admin" : "none";
}

User read_one_user(Row row) { return read_user(row); }

Result<User> find_user(Database& db, const OrgId& org, const UserId& id) {
  return db.prepare(select(kUserColumns, "from users u where u.org = ? and u.id = ?"), org, id)
      .one("user", read_one_user);
}

Result<void> keep_an_owner(Database& db, const User& leaving) {
  if (leaving.role != domain::Role::owner) return {};
  SP_TRY(std::uint64_t others,
         db.prepare("select count(*) from users where org = ? and role = 'owner' and id <> ?", leaving.org, leaving.id)
             .one("organisation", [](Row row) { return row.u64(); }));
  if (others == 0) return fail(Errc::conflict, "the organisation would be left without an owner");
  return {};
}

Result<void> keep_a_platform_admin(Database& db, const User& leaving) {
  if (leaving.platform != domain::PlatformRights::admin) return {};
  SP_TRY(std::uint64_t others,
         db.prepare("select count(*) from users where platform = 'admin' and not (org = ? and id = ?)", leaving.org,
                    leaving.id)
             .one("deployment", [](Row row) { return row.u64(); }));
  if (others == 0) return fail(Errc::conflict, "the deployment would be left without a platform admin");
  return {};
}

// Whoever holds such a string could enrol an agent, which gets the group's jobs and their data.
Result<std::vector<EnrolmentId>> revoke_enrolments(Database& db, const User& maker, WallTime now) {
  SP_TRY(auto usable, db.prepare("select id from enrolment_tokens where org = ? and created_by = ? and "
                                 "revoked_at is null and expires_at > ? and uses < max_uses order by id",
                                 maker.org, maker.id, now)
                          .all([](Row row) { return row.id<EnrolmentId>(); }));
  for (const EnrolmentId& id : usable) {
    SP_CHECK(db.run("update enrolment_tokens set revoked_at = ? where org = ? and id = ?", now, maker.org, id));
  }
  return usable;
}

Result<UserChange> change_user_role(Database& db, const OrgId& org, const UserId& id, domain::Role role, WallTime now) {
  SP_TRY(User user, find_user(db, org, id));
  if (role != domain::Role::owner) SP_CHECK(keep_an_owner(db, user));
  SP_CHECK(db.run("update users set role = ? where org = ? and id = ?", domain::to_string(role), org, id));
  user.role = role;
  UserChange change{std::move(user), {}};
  if (domain::scopes_of(role).contains(domain::Scope::agents_write)) return change;
  SP_TRY(change.revoked, revoke_enrolments(db, change.user, now));
  return change;
}

Result<UserChange> remove_user(Database& db, const OrgId& org, const UserId& id, WallTime now) {
  SP_TRY(User user, find_user(db, org, id));
  SP_CHECK(keep_an_owner(db, user));
  SP_CHECK(keep_a_platform_admin(db, user));
  SP_TRY(auto revoked, revoke_enrolments(db, user, now));
  SP_CHECK(expect_row(db.run("delete from users where org = ? and id = ?", org, id), "user"));
  return UserChange{std::move(user), std::move(revoked)};
}

class SqliteUsers final : public Users {
 public:
  explicit SqliteUsers(Engine& engine) : engine_(engine) {}

  awaitable<Result<void>> add(OrgId org, User user, AuditNote<> note) override {
    return write_noted(
        engine_, [org, user = std::move(user)](Database& db) { return insert_user(db, org, user); }, std::move(note));
  }

  awaitable<Result<User>> find(OrgId org, UserId id) override {
    return engine_.read([org, id](Database& db) { return find_user(db, org, id); });
  }

  awaitable<Result<Page<User>>> list(OrgId org, PageQuery page) override {
    return engine_.read([org, page](Database& db) {
      const std::size_t limit = page.bounded_limit();
      return page_of(db.prepare(select(kUserColumns, "from users u where u.org = ? and u.id > ? order by u.id limit ?"),
                                org, page.after, one_more(limit)),
                     limit, read_one_user, [](const User& user) { return user.id.value; });
    });
  }

  awaitable<Result<UserChange>> change_role(OrgId org, UserId id, domain::Role role, WallTime now,
                                            AuditNote<UserChange> note) override {
    return write_noted(
        engine_, [org, id, role, now](Database& db) { return change_user_role(db, org, id, role, now); },
        std::move(note));
  }

  awaitable<Result<UserChange>> remove(OrgId org, UserId id, WallTime now, AuditNote<UserChange> note) override {
    return write_noted(
        engine_, [org, id, now](Database& db) { return remove_user(db, org, id, now); }, std::move(note));
  }

 private:
  Engine& engine_;
};

}  // namespace

User read_user(Row& row) {
  return {.id = row.id<UserId>(),
          .org = row.id<OrgId>(),
          .name = row.text(),
          .email = row.text(),
          .role = domain::parse_role(row.text()).value_or(domain::Role::viewer),
          .platform = row.text() == "admin" ? domain::PlatformRights::admin : domain::PlatformRights::none,
          .created_at = row.time()};
}

Result<void> insert_user(Database& db, const OrgId& org, const User& user) {
  return explain(
      db.run("insert into users (org, id, name, email, role, platform, created_at) values (?, ?, ?, ?, ?, ?, ?)", org,
             user.id, user.name, user.email, domain::to_string(user.role), to_text(user.platform), user.created_at),
      "a user with this e-mail address exists", "no such organisation");
}

Result<std::optional<UserChange>> remove_user_if_any(Database& db, const OrgId& org, const UserId& id, WallTime now) {
  auto removed = remove_user(db, org, id, now);
  if (removed) return *std::move(removed);
  if (removed.error().code == Errc::not_found) return std::nullopt;
  return std::unexpected(std::move(removed).error());
}

std::unique_ptr<Users> make_users(Engine& engine) { return std::make_unique<SqliteUsers>(engine); }

}  // namespace sallyport::store::sqlite
