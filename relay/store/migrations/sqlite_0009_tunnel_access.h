#pragma once

#include <string_view>

namespace sallyport::store {

// Who may open a tunnel from a workstation, and who has opened it: words and ids that blanks separate, and the user and
// the API token of a connection that did not come through the listener. Tunnels of before are for those who may change
// them.
inline constexpr std::string_view kSqlite0009TunnelAccess = R"sql(

alter table tunnels add column roles text not null default 'owner editor';
alter table tunnels add column tokens text not null default '';
alter table tunnel_connections add column user text;
alter table tunnel_connections add column token text;

)sql";

}  // namespace sallyport::store
