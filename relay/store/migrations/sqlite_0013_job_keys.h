#pragma once

#include <string_view>

namespace sallyport::store {

inline constexpr std::string_view kSqlite0013JobKeys = R"sql(

create table job_keys (
  org     text    not null,
  kind    text    not null check (kind in ('payload', 'logs')),
  hours   integer not null check (hours > 0),
  hour    integer not null,
  job     text    not null,
  wrapped blob    not null,
  primary key (org, kind, hours, hour, job),
  foreign key (org, job) references jobs (org, id)
) strict, without rowid;
create index job_keys_by_job on job_keys (org, job);

)sql";

}  // namespace sallyport::store
