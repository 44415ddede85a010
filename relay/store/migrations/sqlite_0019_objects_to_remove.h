#pragma once

#include <string_view>

namespace sallyport::store {

// Every object that may lie in an archive has a row, from before it is put; archived_at is set when it is there. When
// the rows of an erased organisation go, whoever removes them, its objects are listed to be removed: under names that
// tell nothing of it. Nothing of it is archived any more.
inline constexpr std::string_view kSqlite0019ObjectsToRemove = R"sql(

alter table archive_records rename to archive_records_before;
drop index archive_records_by_hour;
create table archive_records (
  org         text    not null,
  job         text    not null,
  place       text    not null,
  object      text    not null,
  hours       integer not null check (hours > 0),
  hour        integer not null,
  size        integer not null,
  archived_at integer,
  primary key (org, job, place)
) strict, without rowid;
insert into archive_records (org, job, place, object, hours, hour, size, archived_at)
  select org, job, place, object, hours, hour, size, archived_at from archive_records_before;
drop table archive_records_before;
create index archive_records_by_hour on archive_records (org, hours, hour);

create table archive_removals (
  place   text    not null,
  object  text    not null,
  erasure text    not null references erasures (id),
  tries   integer not null default 0,
  primary key (place, object)
) strict, without rowid;
create index archive_removals_by_tries on archive_removals (place, tries);
create index archive_removals_by_erasure on archive_removals (erasure);

create trigger objects_of_the_erased_are_removed after delete on archive_records
begin
  insert or ignore into archive_removals (place, object, erasure)
    select old.place, old.object, id from erasures where org = old.org and subject = 'organisation';
end;
create trigger nothing_is_archived_of_the_erased before insert on archive_records
  when exists (select 1 from erasures where org = new.org and subject = 'organisation')
begin
  select raise(ignore);
end;

)sql";

}  // namespace sallyport::store
