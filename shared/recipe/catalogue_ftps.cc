#include "shared/recipe/catalogue_remote_parts.h"

namespace sallyport::recipe::tables {
namespace {

constexpr std::array kKinds{"ftps"sv};
constexpr std::array kPutFields{kRemotePath, kRemoteContent, kRemoteSource,
                                if_remote_exists("`fail`, or `replace` the file that is there: at once where the "
                                                 "server renames over a file, else with a moment in which there is "
                                                 "none")};

constexpr auto kActions = remote_file_actions(
    {.get = "ftps.get@1", .put = "ftps.put@1", .list = "ftps.list@1", .move = "ftps.move@1", .remove = "ftps.delete@1"},
    kKinds, kPutFields);

constexpr std::array kTriggers{TriggerInfo{
    .name = "ftps.watch@1",
    .doc = "Starts for each file that appears in a directory of the server and has settled, once for each state of it, "
           "also while the link is down; `ftps.get` fetches it. Of more than 1,000 files that match only the first "
           "by path are watched, and that is told.",
    .connections = kKinds,
    .fields = kWatchRemoteFields,
    .data = kWatchRemoteData}};

}  // namespace

std::span<const TriggerInfo> ftps_triggers() { return kTriggers; }
std::span<const ActionInfo> ftps() { return kActions; }

}  // namespace sallyport::recipe::tables
