#pragma once

#include <string_view>

namespace sallyport::store {

// Which root each certificate is of, for the time when one root takes over from another.
inline constexpr std::string_view kSqlite0010CertificateRoots = R"sql(

alter table certificates add column root_pin blob not null default x'';

)sql";

}  // namespace sallyport::store
