#pragma once

#include <string_view>

namespace sallyport::store {

// Paths through the relay to targets behind agents, and who used them when. Times of connections are those of the
// relay; `networks` are separated by blanks; `closed_connections` counts the access records that may be deleted.
inline constexpr std::string_view kSqlite0008Tunnels = R"sql(

create table tunnels (
  org                text    not null references organisations (id),
  id                 text    not null,
  name               text    not null,
  group_id           text    not null,
  agent              text,
  host               text    not null,
  port               integer not null check (port between 1 and 65535),
  listen_address     text,
  listen_port        integer check (listen_port between 1 and 65535),
  networks           text    not null check (networks <> ''),
  most_connections   integer not null check (most_connections > 0),
  bytes_per_second   integer not null check (bytes_per_second >= 0),
  idle_ms            integer not null check (idle_ms >= 0),
  expires_at         integer,
  status             text    not null check (status in ('active', 'paused')),
  created_by         text    not null,
  created_at         integer not null,
  removed_at         integer,  -- it stays for its access records, and its name is free
  closed_connections integer not null default 0,
  primary key (org, id),
  foreign key (org, group_id) references agent_groups (org, id),
  foreign key (org, agent) references agents (org, id),
  check ((listen_address is null) = (listen_port is null))
) strict, without rowid;
create index tunnels_live on tunnels (org, id) where removed_at is null;
create index tunnels_by_status on tunnels (org, status, id) where removed_at is null;
create unique index tunnels_by_name on tunnels (org, name) where removed_at is null;
create index tunnels_by_group on tunnels (org, group_id) where removed_at is null;
create unique index tunnels_by_listener on tunnels (listen_port, listen_address)
  where removed_at is null and listen_port is not null;
create index tunnels_by_left_listener on tunnels (listen_port, removed_at)
  where removed_at is not null and listen_port is not null;

-- Access records: in the order of their ids, which is that of time.
create table tunnel_connections (
  org         text    not null,
  tunnel      text    not null,
  id          text    not null,
  agent       text,
  source      text    not null,
  opened_at   integer not null,
  closed_at   integer,
  to_target   integer not null,
  from_target integer not null,
  end_reason  text    not null,
  detail      text    not null,
  primary key (org, tunnel, id),
  foreign key (org, tunnel) references tunnels (org, id)
) strict, without rowid;
create index tunnel_connections_open on tunnel_connections (opened_at) where closed_at is null;
create index tunnel_connections_closed on tunnel_connections (org, tunnel, id) where closed_at is not null;
create trigger tunnel_connections_come_closed after insert on tunnel_connections when new.closed_at is not null
begin
  update tunnels set closed_connections = closed_connections + 1 where org = new.org and id = new.tunnel;
end;
create trigger tunnel_connections_are_closed after update of closed_at on tunnel_connections
  when old.closed_at is null and new.closed_at is not null
begin
  update tunnels set closed_connections = closed_connections + 1 where org = new.org and id = new.tunnel;
end;
create trigger closed_tunnel_connections_go after delete on tunnel_connections when old.closed_at is not null
begin
  update tunnels set closed_connections = closed_connections - 1 where org = old.org and id = old.tunnel;
end;
create trigger closed_tunnel_connections_are_immutable before update on tunnel_connections when old.closed_at is not null
begin
  select raise(abort, 'the record of a closed connection is immutable');
end;

)sql";

}  // namespace sallyport::store
