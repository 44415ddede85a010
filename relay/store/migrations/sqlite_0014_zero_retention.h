#pragma once

#include <string_view>

namespace sallyport::store {

// Jobs whose payload is nowhere but in the relay's memory.
inline constexpr std::string_view kSqlite0014ZeroRetention = R"sql(

alter table jobs add column payload text not null default 'kept' check (payload in ('kept', 'none'));
create index jobs_queued_without_payload on jobs (id) where state = 'queued' and payload = 'none';

)sql";

}  // namespace sallyport::store
