#pragma once

#include <string_view>

namespace sallyport::store {

// What keys.db must hold of each organisation's keys.
inline constexpr std::string_view kSqlite0020KeyWitnesses = R"sql(

create table key_witnesses (
  org           text    not null primary key,
  version       integer not null default 0 check (version >= 0),
  attached      integer not null default 0 check (attached >= 0),
  kind          text    not null default '',
  attached_at   integer not null default 0,
  missing_since integer,
  last_attached integer not null default 0 check (last_attached >= attached)
) strict, without rowid;
create trigger the_erased_have_no_key_witness before insert on key_witnesses
  when exists (select 1 from erasures where org = new.org and subject = 'organisation')
begin
  select raise(ignore);
end;

)sql";

}  // namespace sallyport::store
