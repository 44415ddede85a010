#pragma once

#include <string_view>

namespace sallyport::store {

// Records of jobs that go to an archive: where an organisation has them, which wait, which are there. What is to be
// archived is written down with the job's end, whoever ends it.
// Ledgers may be cut off at their old end, where the head says: the last row that is gone. Nothing else of them is
// deleted.
inline constexpr std::string_view kSqlite0018Archive = R"sql(

alter table audit_heads add column cut_seq integer not null default 0;
alter table audit_heads add column cut_hash blob not null
  default x'0000000000000000000000000000000000000000000000000000000000000000';
drop trigger audit_rows_are_not_deleted;
create trigger audit_rows_are_not_deleted before delete on audit_rows
  when old.seq > coalesce((select cut_seq from audit_heads where org = old.org), 0)
begin
  select raise(abort, 'the audit ledger is append-only');
end;

alter table jobs add column archive_hours integer not null default 0;

create table archive_places (
  org    text    not null primary key references organisations (id),
  place  text    not null check (place <> ''),
  set_at integer not null
) strict, without rowid;

create table archive_outbox (
  org      text    not null,
  job      text    not null,
  due_at   integer not null,
  failures integer not null default 0,
  primary key (org, job)
) strict, without rowid;
create index archive_outbox_by_time on archive_outbox (due_at);
create trigger jobs_go_to_the_archive after update of finished_at on jobs
  when old.finished_at is null and new.finished_at is not null and new.archive_hours > 0 and new.payload = 'kept'
    and exists (select 1 from archive_places where org = new.org)
begin
  insert or ignore into archive_outbox (org, job, due_at) values (new.org, new.id, new.finished_at);
end;

create table archive_records (
  org         text    not null,
  job         text    not null,
  place       text    not null,
  object      text    not null,
  hours       integer not null check (hours > 0),
  hour        integer not null,
  size        integer not null,
  archived_at integer not null,
  primary key (org, job)
) strict, without rowid;
create index archive_records_by_hour on archive_records (org, hours, hour);

)sql";

}  // namespace sallyport::store
