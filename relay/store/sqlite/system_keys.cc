#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/noted.h"
#include "relay/store/sqlite/readers.h"
#include "relay/store/sqlite/rows.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace sallyport::store::sqlite {
namespace {

constexpr std::int64_t kMostKeys = 100;  // of one organisation; as sealing::kMostSystemKeys
constexpr std::string_view kColumns = "org, name, group_id, version, value_names, set_by, set_at";

std::string_view to_text(CopyState state) {
  switch (state) {
    case CopyState::untold: return "untold";
    case CopyState::held: return "held";
    case CopyState::unopenable: return "unopenable";
  }
  return "untold";
}

CopyState parse_state(std::string_view text) {
  if (text == "held") return CopyState::held;
  return text == "unopenable" ? CopyState::unopenable : CopyState::untold;
}

// Names have no spaces.
std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    names.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return names;
}

SystemKey read_key(Row row) {
  return {.org = row.id<OrgId>(),
          .name = row.text(),
          .group = row.id<GroupId>(),
          .version = row.u64(),
          .values = split(row.text()),
          .set_by = row.id<UserId>(),
          .set_at = row.time()};
}

PossibleRecipient read_recipient(Row row) {
  PossibleRecipient recipient{.agent = row.id<AgentId>(), .name = row.text(), .key = {}};
  const auto generation = row.maybe_u32();
  auto statement = row.maybe_bytes();
  const auto said_at = row.maybe_time();
  if (generation && statement && said_at)
    recipient.key = SealingKey{recipient.agent, *generation, *std::move(statement), *said_at};
  return recipient;
}

CopyHolder read_holder(Row row) {
  CopyHolder holder{
      .agent = row.id<AgentId>(), .name = row.text(), .newest = row.maybe_u32(), .sealed = row.maybe_u32()};
  if (holder.sealed) holder.state = parse_state(row.text());
  return holder;
}

AgentsKey read_agents_key(Row row) {
  return {.name = row.text(),
          .group = row.id<GroupId>(),
          .version = row.u64(),
          .copy = {.agent = row.id<AgentId>(), .generation = row.u32(), .sealed_copy = row.bytes()}};
}

Result<std::optional<SystemKey>> present_key(Database& db, const OrgId& org, const std::string& name) {
  return db.prepare(select(kColumns, "from system_keys where org = ? and name = ?"), org, name).maybe(read_key);
}

Result<void> expect_next(Database& db, const SystemKey& next) {
  SP_TRY(const auto present, present_key(db, next.org, next.name));
  if (present && present->group != next.group)
    return fail(Errc::conflict, "a system key of this name belongs to another group: remove it first");
  if (present && next.version != present->version + 1)
    return fail(Errc::conflict, "the system key has been changed meanwhile");
  if (present) return {};
  SP_TRY(const auto count,
         db.prepare("select count(*) from system_keys where org = ?", next.org).one("count", [](Row row) {
           return row.integer();
         }));
  if (count >= kMostKeys)
    return fail(Errc::exhausted, fmt::format("an organisation has at most {} system keys", kMostKeys));
  return {};
}

Result<void> insert_copy(Database& db, const SystemKey& key, const SystemKeyCopy& copy) {
  SP_TRY(const bool fits,
         db.prepare("select 1 from agents where org = ? and id = ? and group_id = ? and status = 'active'", key.org,
                    copy.agent, key.group)
             .next());
  if (!fits) return fail(Errc::invalid, "agent " + copy.agent.value + " is no active agent of the group");
  SP_CHECK(db.run("insert into system_key_copies (org, name, agent, generation, sealed_copy) values (?, ?, ?, ?, ?)",
                  key.org, key.name, copy.agent, copy.generation, copy.sealed_copy));
  return {};
}

Result<void> put_key(Database& db, const SystemKey& key, const std::vector<SystemKeyCopy>& copies) {
  SP_CHECK(expect_group(db, key.org, key.group));
  SP_CHECK(expect_next(db, key));
  SP_CHECK(db.run("delete from system_keys where org = ? and name = ?", key.org, key.name));
  SP_CHECK(
      db.run("insert into system_keys (org, name, group_id, version, value_names, set_by, set_at) "
             "values (?, ?, ?, ?, ?, ?, ?)",
             key.org, key.name, key.group, key.version, fmt::format("{}", fmt::join(key.values, " ")), key.set_by,
             key.set_at));
  for (const auto& copy : copies) SP_CHECK(insert_copy(db, key, copy));
  return {};
}

Result<bool> put_sealing(Database& db, const OrgId& org, const SealingKey& key) {
  SP_TRY(const bool same, db.prepare("select 1 from sealing_keys where org = ? and agent = ? and statement = ?", org,
                                     key.agent, key.statement)
                              .next());
  if (same) return false;
  SP_CHECK(
      explain(db.run("insert into sealing_keys (org, agent, generation, statement, said_at) values (?, ?, ?, ?, ?) "
                     "on conflict (org, agent) do update set generation = excluded.generation, "
                     "statement = excluded.statement, said_at = excluded.said_at",
                     org, key.agent, key.generation, key.statement, key.said_at),
              "", "no such agent"));
  return true;
}

class SqliteSystemKeys final : public SystemKeys {
 public:
  explicit SqliteSystemKeys(Engine& engine) : engine_(engine) {}

  awaitable<Result<bool>> put_sealing_key(OrgId org, SealingKey key) override {
    return engine_.write([org, key = std::move(key)](Database& db) { return put_sealing(db, org, key); });
  }

  awaitable<Result<std::vector<PossibleRecipient>>> recipients(OrgId org, GroupId group) override {
    return engine_.read([org, group](Database& db) -> Result<std::vector<PossibleRecipient>> {
      SP_CHECK(expect_group(db, org, group));
      return db
          .prepare(
              "select a.id, a.name, k.generation, k.statement, k.said_at from agents a "
              "left join sealing_keys k on k.org = a.org and k.agent = a.id "
              "where a.org = ? and a.group_id = ? and a.status = 'active' order by a.id",
              org, group)
          .all(read_recipient);
    });
  }

  awaitable<Result<Page<SystemKey>>> list(OrgId org, PageQuery page) override {
    return engine_.read([org, page](Database& db) {
      const std::size_t limit = page.bounded_limit();
      return page_of(db.prepare(select(kColumns, "from system_keys where org = ? and name > ? order by name limit ?"),
                                org, page.after, one_more(limit)),
                     limit, read_key, [](const SystemKey& key) { return key.name; });
    });
  }

  awaitable<Result<SystemKey>> find(OrgId org, std::string name) override {
    return engine_.read([org, name](Database& db) -> Result<SystemKey> {
      SP_TRY(auto key, present_key(db, org, name));
      if (!key) return fail(Errc::not_found, "no such system key");
      return *std::move(key);
    });
  }

  awaitable<Result<std::vector<CopyHolder>>> holders(OrgId org, std::string name) override {
    return engine_.read([org, name](Database& db) {
      return db
          .prepare(
              "select a.id, a.name, k.generation, c.generation, c.held from system_keys s "
              "join agents a on a.org = s.org and a.group_id = s.group_id and a.status = 'active' "
              "left join sealing_keys k on k.org = a.org and k.agent = a.id "
              "left join system_key_copies c on c.org = s.org and c.name = s.name and c.agent = a.id "
              "where s.org = ? and s.name = ? order by a.id",
              org, name)
          .all(read_holder);
    });
  }

  awaitable<Result<void>> put(OrgId org, SystemKey key, std::vector<SystemKeyCopy> copies, AuditNote<> note) override {
    key.org = org;
    return write_noted(
        engine_, [key = std::move(key), copies = std::move(copies)](Database& db) { return put_key(db, key, copies); },
        std::move(note));
  }

  awaitable<Result<SystemKey>> remove(OrgId org, std::string name, AuditNote<SystemKey> note) override {
    return write_noted(
        engine_,
        [org, name](Database& db) -> Result<SystemKey> {
          SP_TRY(auto key, present_key(db, org, name));
          if (!key) return fail(Errc::not_found, "no such system key");
          SP_CHECK(db.run("delete from system_keys where org = ? and name = ?", org, name));
          return *std::move(key);
        },
        std::move(note));
  }

  awaitable<Result<std::vector<AgentsKey>>> of_agent(OrgId org, AgentId agent) override {
    return engine_.read([org, agent](Database& db) {
      return db
          .prepare(
              "select s.name, s.group_id, s.version, c.agent, c.generation, c.sealed_copy from agents a "
              "join system_key_copies c on c.org = a.org and c.agent = a.id "
              "join system_keys s on s.org = c.org and s.name = c.name and s.group_id = a.group_id "
              "where a.org = ? and a.id = ? and a.status = 'active' order by s.name",
              org, agent)
          .all(read_agents_key);
    });
  }

  awaitable<Result<void>> note_copies(OrgId org, AgentId agent, std::vector<ToldCopy> told) override {
    return engine_.write([org, agent, told = std::move(told)](Database& db) -> Result<void> {
      for (const auto& [name, version, state] : told) {
        SP_CHECK(
            db.run("update system_key_copies set held = ?1 where org = ?2 and name = ?3 and agent = ?4 and "
                   "exists (select 1 from system_keys s where s.org = ?2 and s.name = ?3 and s.version = ?5)",
                   to_text(state), org, name, agent, version));
      }
      return {};
    });
  }

 private:
  Engine& engine_;
};

}  // namespace

std::unique_ptr<SystemKeys> make_system_keys(Engine& engine) { return std::make_unique<SqliteSystemKeys>(engine); }

}  // namespace sallyport::store::sqlite
