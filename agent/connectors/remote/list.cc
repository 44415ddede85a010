#include "agent/connectors/remote/listing.h"
#include "agent/connectors/remote/remote_actions_parts.h"
#include "agent/connectors/translate.h"

#include <fmt/format.h>

namespace sallyport::connectors::remote {
namespace {

constexpr std::size_t kMostListed = 1'000;

class List final : public RemoteAction {
 public:
  using RemoteAction::RemoteAction;

  StepResult<Output> run_on(Access& access, const Arguments& arguments) const override {
    SP_TRY(const auto wanted, arguments.text("path"));
    SP_TRY(const auto path, access.clean(wanted));
    const auto connection = access.context().connection;
    SP_CHECK(to_step(access.policy().check_directory(connection, path)));
    const auto limit = arguments.integer("limit");
    Listing listing;
    listing.pattern = arguments.text_or("pattern", "*");
    listing.limit = limit ? static_cast<std::size_t>(*limit) : kMostListed;
    listing.wants = [&](const std::string& file) {
      return access.policy().check_file(connection, policy::FileVerb::read, file).has_value();
    };
    SP_TRY(auto* const files, access.files());
    SP_TRY(auto found, list_files(*files, path, listing, access.limits()));
    if (found.over_limit && !limit)
      return step_fail("too_large", fmt::format("more than {} files match; `limit` gives the first", kMostListed));
    ValueList entries;
    for (const auto& file : found.files) entries.push_back(describe(file));
    const auto count = static_cast<std::int64_t>(entries.size());
    return Output{Value(ValueMap{{Value("files"), Value(std::move(entries))},
                                 {Value("count"), Value(count)},
                                 {Value("more"), Value(found.over_limit)},
                                 {Value("skipped"), Value(static_cast<std::int64_t>(found.skipped))}})};
  }
};

}  // namespace

std::unique_ptr<Action> make_list(const Site& site, ServersPtr servers, std::string name) {
  return std::make_unique<List>(site, std::move(servers), std::move(name));
}

}  // namespace sallyport::connectors::remote
