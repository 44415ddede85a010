#pragma once

#include <string_view>

namespace sallyport::store {

// Ended jobs whose keys are all gone: found without looking at those that still have some.
inline constexpr std::string_view kSqlite0015BareJobs = R"sql(

create table bare_jobs (
  finished_at integer not null,
  org         text    not null,
  job         text    not null,
  primary key (finished_at, org, job),
  foreign key (org, job) references jobs (org, id)
) strict, without rowid;
create index bare_jobs_by_job on bare_jobs (org, job);

insert into bare_jobs (finished_at, org, job)
  select finished_at, org, id from jobs j where finished_at is not null
    and not exists (select 1 from job_keys k where k.org = j.org and k.job = j.id);

)sql";

}  // namespace sallyport::store
