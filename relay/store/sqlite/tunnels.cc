#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/noted.h"
#include "relay/store/sqlite/readers.h"
#include "relay/store/sqlite/rows.h"
#include "relay/store/sqlite/tunnel_connections.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

namespace sallyport::store::sqlite {
namespace {

constexpr std::string_view kTunnelColumns =
    "id, org, name, group_id, agent, host, port, listen_port, coalesce(listen_address, ''), networks, "
    "roles, tokens, most_connections, bytes_per_second, idle_ms, expires_at, status, created_by, created_at, "
    "removed_at";

std::string_view to_text(TunnelStatus status) { return status == TunnelStatus::active ? "active" : "paused"; }

std::optional<domain::TunnelListener> read_listener(Row& row) {
  const auto port = row.maybe_u32();
  auto address = row.text();
  if (!port) return std::nullopt;
  return domain::TunnelListener{.address = std::move(address), .port = static_cast<std::uint16_t>(*port)};
}

// Words that a blank separates; "" is none.
std::vector<std::string> read_words(const std::string& text) {
  if (text.empty()) return {};
  std::vector<std::string> words(1);
  for (const char c : text) c == ' ' ? (void)words.emplace_back() : words.back().push_back(c);
  return words;
}

// A role of a later program lets nobody in.
domain::TunnelAccess read_access(Row& row) {
  domain::TunnelAccess access{.roles = {}};
  for (const auto& word : read_words(row.text())) {
    if (const auto role = domain::parse_role(word)) access.roles.push_back(*role);
  }
  for (auto& id : read_words(row.text())) access.tokens.emplace_back(std::move(id));
  return access;
}

std::string words_of(const std::vector<domain::Role>& roles) {
  std::string text;
  for (const auto role : roles) text.append(text.empty() ? "" : " ").append(to_string(role));
  return text;
}

std::string words_of(const std::vector<ApiTokenId>& tokens) {
  std::string text;
  for (const auto& token : tokens) text.append(text.empty() ? "" : " ").append(token.value);
  return text;
}

domain::TunnelLimits read_limits(Row& row) {
  const auto connections = row.u32();
  const auto bytes_per_second = row.u64();
  const auto idle = std::chrono::milliseconds(row.integer());
  return {.connections = connections,
          .bytes_per_second = bytes_per_second,
          .idle = std::chrono::duration_cast<std::chrono::seconds>(idle)};
}

Tunnel read_tunnel(Row row) {
  return {.id = row.id<TunnelId>(),
          .org = row.id<OrgId>(),
          .name = row.text(),
          .group = row.id<GroupId>(),
          .agent = row.maybe_id<AgentId>(),
          .host = row.text(),
          .port = static_cast<std::uint16_t>(row.u32()),
          .listener = read_listener(row),
          .networks = read_words(row.text()),
          .access = read_access(row),
          .limits = read_limits(row),
          .expires_at = row.maybe_time(),
          .status = row.text() == "active" ? TunnelStatus::active : TunnelStatus::paused,
          .created_by = row.id<UserId>(),
          .created_at = row.time(),
          .removed_at = row.maybe_time()};
}

Result<Tunnel> find_tunnel(Database& db, const OrgId& org, const TunnelId& id) {
  return db.prepare(select(kTunnelColumns, "from tunnels where org = ? and id = ? and removed_at is null"), org, id)
      .one("tunnel", read_tunnel);
}

Result<void> expect_agent(Database& db, const Tunnel& tunnel) {
  if (!tunnel.agent) return {};
  SP_TRY(const bool found,
         db.prepare("select 1 from agents where org = ? and id = ? and group_id = ? and status = 'active'", tunnel.org,
                    *tunnel.agent, tunnel.group)
             .next());
  if (!found) return fail(Errc::not_found, "no such agent in this agent group");
  return {};
}

Result<void> expect_tokens(Database& db, const OrgId& org, const std::vector<ApiTokenId>& tokens) {
  for (const auto& token : tokens) {
    SP_TRY(const bool found, db.prepare("select 1 from api_tokens where org = ? and id = ?", org, token).next());
    if (!found) return fail(Errc::not_found, "no such API token");
  }
  return {};
}

struct Holder {
  OrgId org;
  std::string name;
  domain::TunnelListener listener;
};

// Whose it is, and how wide it listens, is not told to another organisation.
std::unexpected<Error> taken_on_this_relay(const domain::TunnelListener& wanted) {
  return fail(Errc::conflict,
              fmt::format("{} port {} is taken on this relay: choose another port", wanted.address, wanted.port));
}

Result<void> expect_free(Database& db, const OrgId& org, const domain::TunnelListener& wanted) {
  auto holders = db.prepare(
      "select org, name, listen_address from tunnels indexed by tunnels_by_listener where removed_at is null and "
      "listen_port = ?",
      std::uint32_t{wanted.port});
  while (true) {
    SP_TRY(const bool another, holders.next());
    if (!another) return {};
    Row row = holders.row();
    const Holder holder{.org = row.id<OrgId>(), .name = row.text(), .listener = {row.text(), wanted.port}};
    if (!clash(holder.listener, wanted)) continue;
    if (holder.org != org) return taken_on_this_relay(wanted);
    return fail(Errc::conflict, fmt::format("the tunnel \"{}\" listens on {} port {}: choose another port", holder.name,
                                            holder.listener.address, wanted.port));
  }
}

// What clients of another organisation's tunnel still know as theirs. It answers as if that tunnel were alive.
Result<void> expect_unclaimed(Database& db, const OrgId& org, const domain::TunnelListener& wanted, WallTime now) {
  auto claims = db.prepare(
      "select listen_address from tunnels indexed by tunnels_by_left_listener where listen_port = ? and removed_at > ? "
      "and org <> ?",
      std::uint32_t{wanted.port}, now - kListenerClaim, org);
  while (true) {
    SP_TRY(const bool another, claims.next());
    if (!another) return {};
    if (clash({claims.row().text(), wanted.port}, wanted)) return taken_on_this_relay(wanted);
  }
}

Result<void> expect_room(Database& db, const OrgId& org) {
  SP_TRY(const std::uint64_t living,
         db.prepare("select count(*) from tunnels indexed by tunnels_live where org = ? and removed_at is null", org)
             .one("number", [](Row row) { return row.u64(); }));
  if (living < kMostTunnels) return {};
  return fail(Errc::conflict,
              fmt::format("there are {} tunnels already, the most of an organisation: delete some first", living));
}

Result<void> insert_tunnel(Database& db, const Tunnel& tunnel) {
  const auto& listener = tunnel.listener;
  SP_CHECK(expect_group(db, tunnel.org, tunnel.group));
  SP_CHECK(expect_agent(db, tunnel));
  SP_CHECK(expect_tokens(db, tunnel.org, tunnel.access.tokens));
  SP_CHECK(expect_room(db, tunnel.org));
  if (listener) {
    SP_CHECK(expect_free(db, tunnel.org, *listener));
    SP_CHECK(expect_unclaimed(db, tunnel.org, *listener, tunnel.created_at));
  }
  return explain(
      db.run("insert into tunnels (org, id, name, group_id, agent, host, port, listen_address, listen_port, networks, "
             "roles, tokens, most_connections, bytes_per_second, idle_ms, expires_at, status, created_by, created_at) "
             "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
             tunnel.org, tunnel.id, tunnel.name, tunnel.group, tunnel.agent, tunnel.host, std::uint32_t{tunnel.port},
             listener.transform([](const auto& one) { return one.address; }),
             listener.transform([](const auto& one) { return std::uint32_t{one.port}; }),
             fmt::format("{}", fmt::join(tunnel.networks, " ")), words_of(tunnel.access.roles),
             words_of(tunnel.access.tokens), tunnel.limits.connections, tunnel.limits.bytes_per_second,
             std::int64_t{std::chrono::milliseconds(tunnel.limits.idle).count()}, tunnel.expires_at,
             to_text(tunnel.status), tunnel.created_by, tunnel.created_at),
      "a tunnel with this name exists", "no such agent group");
}

Result<Page<Tunnel>> list_tunnels(Database& db, const OrgId& org, const TunnelFilter& filter, const PageQuery& page) {
  const std::size_t limit = page.bounded_limit();
  const std::string_view index = filter.name ? "tunnels_by_name" : filter.status ? "tunnels_by_status" : "tunnels_live";
  std::string where =
      fmt::format("from tunnels indexed by {} where removed_at is null and org = ?1 and id > ?2", index);
  if (filter.name) where += " and name = ?3";
  if (filter.status) where += " and status = ?4";
  where += " order by id limit ?5";
  return page_of(db.prepare(select(kTunnelColumns, where), org, page.after, filter.name,
                            filter.status.transform(to_text), one_more(limit)),
                 limit, read_tunnel, [](const Tunnel& tunnel) { return tunnel.id.value; });
}

// Its cursor is "<org>/<id>".
Result<Page<Tunnel>> list_all(Database& db, const PageQuery& page) {
  const std::size_t limit = page.bounded_limit();
  const std::string org = page.after.substr(0, page.after.find('/'));
  const std::string id = page.after.substr(std::min(org.size() + 1, page.after.size()));
  return page_of(db.prepare(select(kTunnelColumns,
                                   "from tunnels indexed by tunnels_live where removed_at is null and (org, id) > "
                                   "(?, ?) order by org, id limit ?"),
                            org, id, one_more(limit)),
                 limit, read_tunnel,
                 [](const Tunnel& tunnel) { return fmt::format("{}/{}", tunnel.org.value, tunnel.id.value); });
}

struct Standing {
  Tunnel tunnel;
  bool changed = false;
};

Result<Standing> change_status(Database& db, const OrgId& org, const TunnelId& id, TunnelStatus wanted,
                               const AuditNote<>& note) {
  SP_TRY(Tunnel tunnel, find_tunnel(db, org, id));
  if (tunnel.status == wanted) return Standing{.tunnel = std::move(tunnel)};
  SP_CHECK(db.run("update tunnels set status = ? where org = ? and id = ?", to_text(wanted), org, id));
  if (note.entry) SP_CHECK(append_note(db, note));
  tunnel.status = wanted;
  return Standing{.tunnel = std::move(tunnel), .changed = true};
}

// Those that `wanted` lets in and `before` does not.
std::vector<ApiTokenId> new_tokens(const TunnelState& before, const TunnelState& wanted) {
  std::vector<ApiTokenId> fresh;
  std::ranges::copy_if(wanted.access.tokens, std::back_inserter(fresh), [&](const auto& token) {
    return std::ranges::find(before.access.tokens, token) == before.access.tokens.end();
  });
  return fresh;
}

Result<void> put_state(Database& db, const Tunnel& tunnel, const TunnelState& state) {
  auto put = db.run(
      "update tunnels set networks = ?, roles = ?, tokens = ?, most_connections = ?, bytes_per_second = ?, idle_ms = "
      "?, expires_at = ? where org = ? and id = ?",
      fmt::format("{}", fmt::join(state.networks, " ")), words_of(state.access.roles), words_of(state.access.tokens),
      state.limits.connections, state.limits.bytes_per_second,
      std::int64_t{std::chrono::milliseconds(state.limits.idle).count()}, state.expires_at, tunnel.org, tunnel.id);
  return expect_row(put, "tunnel");
}

Result<ChangedTunnel> change_tunnel(Database& db, const OrgId& org, const TunnelId& id, const TunnelChange& change) {
  SP_TRY(Tunnel tunnel, find_tunnel(db, org, id));
  const TunnelState before = state_of(tunnel);
  if (change.only_if && before != *change.only_if) return fail(Errc::conflict, "the tunnel has been changed meanwhile");
  TunnelState wanted = changed(before, change);
  if (wanted == before) return ChangedTunnel{.now = std::move(tunnel), .before = before};
  SP_CHECK(expect_tokens(db, org, new_tokens(before, wanted)));
  SP_CHECK(put_state(db, tunnel, wanted));
  tunnel.networks = std::move(wanted.networks);
  tunnel.access = std::move(wanted.access);
  tunnel.limits = wanted.limits;
  tunnel.expires_at = wanted.expires_at;
  return ChangedTunnel{.now = std::move(tunnel), .before = before};
}

bool is_changed(const ChangedTunnel& tunnel) { return state_of(tunnel.now) != tunnel.before; }

Result<void> remove_tunnel(Database& db, const OrgId& org, const TunnelId& id, WallTime now) {
  return expect_row(
      db.run("update tunnels set removed_at = ? where org = ? and id = ? and removed_at is null", now, org, id),
      "tunnel");
}

class SqliteTunnels final : public Tunnels {
 public:
  explicit SqliteTunnels(Engine& engine) : engine_(engine) {}

  awaitable<Result<void>> add(OrgId org, Tunnel tunnel, AuditNote<> note) override {
    tunnel.org = org;
    return write_noted(
        engine_, [tunnel = std::move(tunnel)](Database& db) { return insert_tunnel(db, tunnel); }, std::move(note));
  }

  awaitable<Result<Tunnel>> find(OrgId org, TunnelId id) override {
    return engine_.read([org, id](Database& db) { return find_tunnel(db, org, id); });
  }

  awaitable<Result<Page<Tunnel>>> list(OrgId org, TunnelFilter filter, PageQuery page) override {
    return engine_.read([org, filter, page](Database& db) { return list_tunnels(db, org, filter, page); });
  }

  awaitable<Result<Tunnel>> set_status(OrgId org, TunnelId id, TunnelStatus status, AuditNote<> note) override {
    const auto stored = std::move(note.stored);
    const bool noted = note.entry != nullptr;
    SP_CO_TRY(Standing standing, co_await engine_.write([org, id, status, note = std::move(note)](Database& db) {
      return change_status(db, org, id, status, note);
    }));
    if (stored && noted && standing.changed) *stored = true;
    co_return std::move(standing.tunnel);
  }

  awaitable<Result<ChangedTunnel>> change(OrgId org, TunnelId id, TunnelChange change,
                                          AuditNote<ChangedTunnel> note) override {
    const auto stored = std::move(note.stored);
    const bool noted = note.entry != nullptr;
    auto work = [org, id, change = std::move(change), note = std::move(note)](Database& db) -> Result<ChangedTunnel> {
      SP_TRY(auto tunnel, change_tunnel(db, org, id, change));
      if (note.entry && is_changed(tunnel)) SP_CHECK(append_note(db, note, tunnel));
      return tunnel;
    };
    SP_CO_TRY(ChangedTunnel tunnel, co_await engine_.write(std::move(work)));
    if (stored && noted && is_changed(tunnel)) *stored = true;
    co_return std::move(tunnel);
  }

  awaitable<Result<void>> remove(OrgId org, TunnelId id, WallTime now, AuditNote<> note) override {
    return write_noted(
        engine_, [org, id, now](Database& db) { return remove_tunnel(db, org, id, now); }, std::move(note));
  }

  awaitable<Result<Page<Tunnel>>> list_everywhere(PageQuery page) override {
    return engine_.read([page](Database& db) { return list_all(db, page); });
  }

  awaitable<Result<void>> note_connections(OrgId org, std::vector<TunnelConnection> connections) override {
    return engine_.write(
        [org, connections = std::move(connections)](Database& db) { return put_connections(db, org, connections); });
  }

  awaitable<Result<Page<TunnelConnection>>> list_connections(OrgId org, TunnelId id, PageQuery page) override {
    return engine_.read([org, id, page](Database& db) { return connections_of(db, org, id, page); });
  }

  awaitable<Result<std::uint64_t>> close_open_connections(WallTime now, std::string end, std::string detail) override {
    return engine_.write([now, end = std::move(end), detail = std::move(detail)](Database& db) {
      return close_connections(db, now, end, detail);
    });
  }

 private:
  Engine& engine_;
};

}  // namespace

std::unique_ptr<Tunnels> make_tunnels(Engine& engine) { return std::make_unique<SqliteTunnels>(engine); }

}  // namespace sallyport::store::sqlite
