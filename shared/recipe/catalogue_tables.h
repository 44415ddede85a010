#pragma once

#include "shared/recipe/catalogue.h"

#include <array>
#include <span>
#include <string_view>

// The entries of the catalogue, one function per family of connectors; private to this folder. A new action is a new
// entry here and nothing else in shared/recipe.
namespace sallyport::recipe::tables {

using namespace std::string_view_literals;

std::span<const ActionInfo> sql();
std::span<const ActionInfo> file();
std::span<const ActionInfo> http();
std::span<const ActionInfo> csv();
std::span<const ActionInfo> json();
std::span<const ActionInfo> xml();
std::span<const ActionInfo> fixed();
std::span<const ActionInfo> archive();
std::span<const ActionInfo> ldap();
std::span<const ActionInfo> ssh();
std::span<const ActionInfo> ftps();
std::span<const ActionInfo> smb();
std::span<const ActionInfo> local();
std::span<const ActionInfo> mail();
std::span<const ActionInfo> brokers();
std::span<const TriggerInfo> local_triggers();
std::span<const TriggerInfo> sql_triggers();
std::span<const TriggerInfo> ssh_triggers();
std::span<const TriggerInfo> ftps_triggers();
std::span<const TriggerInfo> smb_triggers();
std::span<const TriggerInfo> broker_triggers();
std::span<const TriggerInfo> listen_triggers();

}  // namespace sallyport::recipe::tables
