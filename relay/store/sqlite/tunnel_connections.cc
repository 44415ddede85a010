#include "relay/store/sqlite/tunnel_connections.h"

#include "relay/store/sqlite/readers.h"
#include "relay/store/sqlite/rows.h"

#include <set>

namespace sallyport::store::sqlite {
namespace {

constexpr std::string_view kColumns =
    "id, tunnel, agent, source, user, token, opened_at, closed_at, to_target, from_target, end_reason, detail";

TunnelConnection read_connection(Row row) {
  return {.id = row.id<TunnelConnectionId>(),
          .tunnel = row.id<TunnelId>(),
          .agent = row.maybe_id<AgentId>(),
          .source = row.text(),
          .user = row.maybe_id<UserId>(),
          .token = row.maybe_id<ApiTokenId>(),
          .opened_at = row.time(),
          .closed_at = row.maybe_time(),
          .to_target = row.u64(),
          .from_target = row.u64(),
          .end = row.text(),
          .detail = row.text()};
}

// The foreign key refuses a tunnel that is not of the organisation.
Result<void> put(Database& db, const OrgId& org, const TunnelConnection& one) {
  return explain(
      db.run("insert into tunnel_connections (org, tunnel, id, agent, source, user, token, opened_at, closed_at, "
             "to_target, from_target, end_reason, detail) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
             "on conflict (org, tunnel, id) do update set agent = coalesce(excluded.agent, agent), closed_at = "
             "excluded.closed_at, to_target = excluded.to_target, from_target = excluded.from_target, end_reason = "
             "excluded.end_reason, detail = excluded.detail where closed_at is null",
             org, one.tunnel, one.id, one.agent, one.source, one.user, one.token, one.opened_at, one.closed_at,
             one.to_target, one.from_target, one.end, one.detail),
      "a connection with this id exists", "no such tunnel");
}

// The count makes it cheap to see that nothing has to go.
Result<void> trim(Database& db, const OrgId& org, const TunnelId& tunnel) {
  SP_TRY(const std::uint64_t closed,
         db.prepare("select closed_connections from tunnels where org = ? and id = ?", org, tunnel)
             .one("tunnel", [](Row row) { return row.u64(); }));
  if (closed <= kMostClosedConnections) return {};
  SP_CHECK(
      db.run("delete from tunnel_connections where org = ?1 and tunnel = ?2 and id in (select id from "
             "tunnel_connections indexed by tunnel_connections_closed where org = ?1 and tunnel = ?2 and closed_at is "
             "not null order by id limit ?3)",
             org, tunnel, closed - kMostClosedConnections));
  return {};
}

}  // namespace

Result<void> put_connections(Database& db, const OrgId& org, const std::vector<TunnelConnection>& connections) {
  if (connections.size() > kMostNotedConnections) {
    return fail(Errc::too_large, fmt::format("more than {} access records at once", kMostNotedConnections));
  }
  std::set<TunnelId> tunnels;
  for (const TunnelConnection& one : connections) {
    SP_CHECK(put(db, org, one));
    tunnels.insert(one.tunnel);
  }
  for (const TunnelId& tunnel : tunnels) SP_CHECK(trim(db, org, tunnel));
  return {};
}

Result<Page<TunnelConnection>> connections_of(Database& db, const OrgId& org, const TunnelId& id,
                                              const PageQuery& page) {
  SP_CHECK(db.prepare("select 1 from tunnels where org = ? and id = ?", org, id).one("tunnel", [](Row) { return 0; }));
  const std::size_t limit = page.bounded_limit();
  return page_of(
      db.prepare(
          select(kColumns, "from tunnel_connections where org = ? and tunnel = ? and id < ? order by id desc limit ?"),
          org, id, or_end(page.after), one_more(limit)),
      limit, read_connection, [](const TunnelConnection& connection) { return connection.id.value; });
}

Result<std::uint64_t> close_connections(Database& db, WallTime now, const std::string& end, const std::string& detail) {
  SP_TRY(const std::int64_t closed,
         db.run("update tunnel_connections indexed by tunnel_connections_open set closed_at = max(?, opened_at), "
                "end_reason = ?, detail = ? where closed_at is null",
                now, end, detail));
  return static_cast<std::uint64_t>(closed);
}

}  // namespace sallyport::store::sqlite
