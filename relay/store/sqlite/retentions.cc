#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/noted.h"

#include <fmt/format.h>

namespace sallyport::store::sqlite {
namespace {

using domain::Hours;
using domain::RetentionClass;
using domain::RetentionLevel;
using domain::RetentionLevels;
using domain::RetentionLimits;

struct Limit {
  std::string of;
  Hours kept;
};

Limit read_limit(Row row) { return {.of = row.text(), .kept = Hours(row.integer())}; }

// A class that a later program wrote is none that this one keeps.
Result<RetentionLimits> read_limits(Statement rows) {
  SP_TRY(const auto set, rows.all(read_limit));
  RetentionLimits limits;
  for (const auto& [of, kept] : set) {
    if (const auto known = domain::parse_retention_class(of)) limits[*known] = kept;
  }
  return limits;
}

Result<RetentionLimits> limits_of_platform(Database& db) {
  return read_limits(db.prepare("select class, hours from platform_retention"));
}

Result<RetentionLimits> limits_of(Database& db, const OrgId& org) {
  SP_CHECK(db.prepare("select 1 from organisations where id = ?", org).one("organisation", [](Row) { return 0; }));
  return read_limits(db.prepare("select class, hours from organisation_retention where org = ?", org));
}

Result<void> expect_fit(RetentionLevel level, const RetentionLimits& limits) {
  for (const auto one : domain::kRetentionClasses) {
    const auto& kept = limits[one];
    if (!kept) continue;
    if (!domain::may_set(level, one))
      return fail(Errc::invalid, fmt::format("{} is not set at this level", domain::to_string(one)));
    if (auto fits = domain::parse_retention(level, one, domain::format_retention(*kept)); !fits)
      return in_context(std::string(domain::to_string(one)), std::move(fits).error());
  }
  return {};
}

Result<void> put_platform(Database& db, RetentionClass one, Hours kept) {
  SP_CHECK(db.run("insert into platform_retention (class, hours) values (?, ?)", domain::to_string(one),
                  std::int64_t{kept.count()}));
  return {};
}

Result<void> put(Database& db, const OrgId& org, RetentionClass one, Hours kept) {
  SP_CHECK(db.run("insert into organisation_retention (org, class, hours) values (?, ?, ?)", org,
                  domain::to_string(one), std::int64_t{kept.count()}));
  return {};
}

// `put_one` stores one limit, after `clear` took all that were there.
template <class Clear, class PutOne>
Result<ChangedRetention> replace(const RetentionLimits& before, const RetentionChange& change, Clear clear,
                                 PutOne put_one) {
  if (before != change.only_if) return fail(Errc::conflict, "the retention has been changed meanwhile");
  ChangedRetention changed{.before = before, .now = change.wanted};
  if (changed.now == changed.before) return changed;
  SP_CHECK(clear());
  for (const auto one : domain::kRetentionClasses) {
    if (const auto& kept = change.wanted[one]) SP_CHECK(put_one(one, *kept));
  }
  return changed;
}

Result<ChangedRetention> change_platform(Database& db, const RetentionChange& change) {
  SP_CHECK(expect_fit(RetentionLevel::platform, change.wanted));
  SP_TRY(const auto before, limits_of_platform(db));
  return replace(
      before, change, [&] { return db.run("delete from platform_retention"); },
      [&](RetentionClass one, Hours kept) { return put_platform(db, one, kept); });
}

// Agents are told whether they may keep payload with the recipes that are assigned to them.
Result<void> raise_assignment_revisions(Database& db, const OrgId& org) {
  SP_CHECK(db.run("update assignment_revisions set revision = revision + 1 where org = ?", org));
  return {};
}

Result<ChangedRetention> change_organisation(Database& db, const OrgId& org, const RetentionChange& change) {
  SP_CHECK(expect_fit(RetentionLevel::organisation, change.wanted));
  SP_TRY(const auto before, limits_of(db, org));
  SP_TRY(const auto changed,
         replace(
             before, change, [&] { return db.run("delete from organisation_retention where org = ?", org); },
             [&](RetentionClass one, Hours kept) { return put(db, org, one, kept); }));
  if (domain::keeps_payload({.organisation = changed.before}) != domain::keeps_payload({.organisation = changed.now}))
    SP_CHECK(raise_assignment_revisions(db, org));
  return changed;
}

bool is_changed(const ChangedRetention& retention) { return retention.now != retention.before; }

// A change that changes nothing takes no note.
template <class Work>
awaitable<Result<ChangedRetention>> write_change(Engine& engine, Work work, AuditNote<ChangedRetention> note) {
  const auto stored = std::move(note.stored);
  const bool noted = note.entry != nullptr;
  auto write = [work = std::move(work), note = std::move(note)](Database& db) -> Result<ChangedRetention> {
    SP_TRY(auto changed, work(db));
    if (note.entry && is_changed(changed)) SP_CHECK(append_note(db, note, changed));
    return changed;
  };
  SP_CO_TRY(auto changed, co_await engine.write(std::move(write)));
  if (stored && noted && is_changed(changed)) *stored = true;
  co_return changed;
}

class SqliteRetentions final : public Retentions {
 public:
  explicit SqliteRetentions(Engine& engine) : engine_(engine) {}

  awaitable<Result<RetentionLimits>> find_platform() override { return engine_.read(limits_of_platform); }

  awaitable<Result<RetentionLevels>> find(OrgId org) override {
    return engine_.read([org](Database& db) -> Result<RetentionLevels> {
      SP_TRY(auto platform, limits_of_platform(db));
      SP_TRY(auto organisation, limits_of(db, org));
      return RetentionLevels{.platform = platform, .organisation = organisation};
    });
  }

  awaitable<Result<ChangedRetention>> set(OrgId org, RetentionChange change,
                                          AuditNote<ChangedRetention> note) override {
    return write_change(
        engine_, [org, change](Database& db) { return change_organisation(db, org, change); }, std::move(note));
  }

  awaitable<Result<ChangedRetention>> set_platform(RetentionChange change, AuditNote<ChangedRetention> note) override {
    return write_change(engine_, [change](Database& db) { return change_platform(db, change); }, std::move(note));
  }

 private:
  Engine& engine_;
};

}  // namespace

std::unique_ptr<Retentions> make_retentions(Engine& engine) { return std::make_unique<SqliteRetentions>(engine); }

}  // namespace sallyport::store::sqlite
