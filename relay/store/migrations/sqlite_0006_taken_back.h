#pragma once

#include <string_view>

namespace sallyport::store {

// From which agent a job was taken back, and why: of the lines job.taken_back only.
inline constexpr std::string_view kSqlite0006TakenBack = R"sql(

alter table history add column agent text;
alter table history add column reason text;
create index history_taken_back on history (org, job, seq) where kind = 'job.taken_back';

)sql";

}  // namespace sallyport::store
