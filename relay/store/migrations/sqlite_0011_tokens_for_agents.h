#pragma once

#include <string_view>

namespace sallyport::store {

// Enrolment tokens for an agent that there is already.
inline constexpr std::string_view kSqlite0011TokensForAgents = R"sql(

alter table enrolment_tokens add column agent text;

)sql";

}  // namespace sallyport::store
