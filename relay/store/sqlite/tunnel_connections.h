#pragma once

#include "relay/store/sqlite/database.h"
#include "relay/store/tunnels.h"

// Access records. Their contract is that of the methods of Tunnels that use them.
namespace sallyport::store::sqlite {

Result<void> put_connections(Database& db, const OrgId& org, const std::vector<TunnelConnection>& connections);
Result<Page<TunnelConnection>> connections_of(Database& db, const OrgId& org, const TunnelId& id,
                                              const PageQuery& page);
Result<std::uint64_t> close_connections(Database& db, WallTime now, const std::string& end, const std::string& detail);

}  // namespace sallyport::store::sqlite
