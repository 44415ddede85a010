#pragma once

#include <string_view>

namespace sallyport::store {

// Jobs that have no effects, and what they did with their steps.
inline constexpr std::string_view kSqlite0022DryRuns = R"sql(

alter table jobs add column mode text not null default 'real' check (mode in ('real', 'dry_run'));
alter table steps add column plan text not null default '' check (plan in ('', 'ran', 'rolled_back', 'planned'));

)sql";

}  // namespace sallyport::store
