#pragma once

#include <string_view>

namespace sallyport::store {

// Texts that may hold a value of a recipe or of a system it talks to are sealed from here on. SQL cannot seal what lies
// there in clear: it goes, and class, step and health stay. Agents tell their connections' health anew at every link.
inline constexpr std::string_view kSqlite0002SealedTexts = R"sql(

alter table jobs add column sealed_error_message blob;
alter table jobs drop column error_message;

alter table steps add column sealed_message blob;
alter table steps drop column message;

alter table connections add column sealed_detail blob;
alter table connections drop column detail;

)sql";

}  // namespace sallyport::store
