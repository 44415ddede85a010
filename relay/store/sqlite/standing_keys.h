#pragma once

#include "relay/store/key_store.h"
#include "relay/store/sqlite/database.h"

#include <cstdint>
#include <optional>
#include <string_view>

// The rows of keys.db that stand until an organisation is erased: its key's versions, its own key, and what was given
// up of either.
namespace sallyport::store::sqlite {

Result<void> add_version(const Result<std::int64_t>& inserted);
Result<void> insert_tenant_key(Database& db, const OrgId& org, const KeyVersion& key);

inline constexpr std::string_view kOwnKey =
    "version, kind, place, credentials, wrapped, attached_at, refused_since, reason";
OwnKey read_own_key(Row& row);
Result<std::optional<OwnKey>> find_own_key(Database& db, const OrgId& org);
Result<void> expect_attachment(Database& db, const OrgId& org, std::uint32_t version);
Result<void> change_attachment(Database& db, const OrgId& org, const OwnKeyChange& change);

Result<void> give_up_version(Database& db, const OrgId& org, std::uint32_t version);
Result<void> give_up_hour(Database& db, const OrgId& org, const RetentionLane& lane, Hour hour);
Result<bool> is_given_up(Database& db, const OrgId& org, const RetentionLane& lane, Hour hour);

Result<std::optional<ErasedKeys>> find_erased(Database& db, const OrgId& org);
Result<void> expect_not_erased(Database& db, const OrgId& org);
Result<std::uint64_t> remove_all(Database& db, std::string_view table, const OrgId& org);  // how many

}  // namespace sallyport::store::sqlite
