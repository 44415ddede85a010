#include "shared/recipe/catalogue_remote_parts.h"

namespace sallyport::recipe::tables {
namespace {

constexpr std::array kKinds{"smb"sv};
constexpr std::array kPutFields{kRemotePath, kRemoteContent, kRemoteSource,
                                if_remote_exists("`fail`, or `replace` the file that is there, with a moment in which "
                                                 "there is none")};

constexpr auto kActions = remote_file_actions(
    {.get = "smb.get@1", .put = "smb.put@1", .list = "smb.list@1", .move = "smb.move@1", .remove = "smb.delete@1"},
    kKinds, kPutFields);

constexpr std::array kTriggers{TriggerInfo{
    .name = "smb.watch@1",
    .doc = "Starts for each file that appears in a directory of the share and has settled, once for each state of it, "
           "also while the link is down; `smb.get` fetches it. Of more than 10,000 files that match only the first "
           "by path are watched, and that is told.",
    .connections = kKinds,
    .fields = kWatchRemoteFields,
    .data = kWatchRemoteData}};

}  // namespace

std::span<const TriggerInfo> smb_triggers() { return kTriggers; }
std::span<const ActionInfo> smb() { return kActions; }

}  // namespace sallyport::recipe::tables
