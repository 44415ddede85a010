#pragma once

#include <string_view>

namespace sallyport::store {

// Which journal an agent had last, and how far it had come: 0 until the agent tells.
inline constexpr std::string_view kSqlite0004Journals = R"sql(

alter table agents add column journal_id integer not null default 0;
alter table agents add column journal_seq integer not null default 0;

)sql";

}  // namespace sallyport::store
