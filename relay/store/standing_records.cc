#include "relay/store/standing_records.h"

#include "relay/store/connections.h"
#include "relay/store/system_keys.h"

#include <array>

namespace sallyport::store {
namespace {

using enum StandingColumn::Whose;

std::string by_id(std::string_view id, std::string_view, std::uint64_t) { return std::string(id); }

std::string of_connection(std::string_view agent, std::string_view name, std::uint64_t) {
  return connection_record(AgentId(std::string(agent)), name);
}

std::string of_copy(std::string_view name, std::string_view agent, std::uint64_t version) {
  return copy_record(name, version, AgentId(std::string(agent)));
}

constexpr auto kColumns = std::to_array<StandingColumn>({
    {.table = "issuing_cas", .column = "sealed_private_key", .first = "org", .record = by_id},
    {.table = "enrolment_tokens", .column = "sealed_secret", .first = "id", .record = by_id},
    {.table = "connections", .column = "sealed_detail", .first = "agent", .second = "name", .record = of_connection},
    {.table = "system_key_copies",
     .column = "sealed_copy",
     .first = "name",
     .second = "agent",
     .version_in = "system_keys",
     .record = of_copy},
    {.table = "webhooks", .column = "sealed_secrets", .first = "id", .record = by_id},
    {.table = "receipt_keys", .column = "sealed_private_key", .whose = deployment, .first = "id", .record = by_id},
});

}  // namespace

std::span<const StandingColumn> standing_columns() { return kColumns; }

}  // namespace sallyport::store
