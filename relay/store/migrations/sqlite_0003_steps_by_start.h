#pragma once

#include <string_view>

namespace sallyport::store {

inline constexpr std::string_view kSqlite0003StepsByStart = R"sql(

create index steps_by_start on steps (org, job, first_seq, path, attempt);

)sql";

}  // namespace sallyport::store
