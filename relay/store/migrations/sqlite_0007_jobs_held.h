#pragma once

#include <string_view>

namespace sallyport::store {

// What an agent holds is asked for with each of its Holdings: the agent comes before the job, or every agent's question
// would walk through what all agents of the organisation hold.
inline constexpr std::string_view kSqlite0007JobsHeld = R"sql(

drop index jobs_active;
create index jobs_active on jobs (org, agent, id) where state in ('dispatched', 'running');

)sql";

}  // namespace sallyport::store
