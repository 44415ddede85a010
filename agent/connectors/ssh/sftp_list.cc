#include "agent/connectors/ssh/sftp_access.h"
#include "agent/connectors/ssh/sftp_listing.h"
#include "agent/connectors/ssh/ssh_actions_parts.h"
#include "agent/connectors/translate.h"

#include <fmt/format.h>

namespace sallyport::connectors::ssh {
namespace {

constexpr std::size_t kMostListed = 1'000;

class SftpList final : public Action {
 public:
  SftpList(Site site, ServersPtr servers) : site_(site), servers_(std::move(servers)) {}
  std::string_view name() const override { return "sftp.list@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_TRY(auto access, Access::open(site_, *servers_, context, name()));
    SP_TRY(const auto wanted, arguments.text("path"));
    SP_TRY(const auto path, access.clean(wanted));
    SP_CHECK(to_step(site_.policy.check_directory(context.connection, path)));
    const auto limit = arguments.integer("limit");
    RemoteListing listing;
    listing.pattern = arguments.text_or("pattern", "*");
    listing.limit = limit ? static_cast<std::size_t>(*limit) : kMostListed;
    listing.wants = [&](const std::string& file) {
      return site_.policy.check_file(context.connection, policy::FileVerb::read, file).has_value();
    };
    SP_TRY(auto* const files, access.files());
    SP_TRY(auto found, list_remote(*files, path, listing, access.limits()));
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

 private:
  Site site_;
  ServersPtr servers_;
};

}  // namespace

std::unique_ptr<Action> make_list(Site site, ServersPtr servers) {
  return std::make_unique<SftpList>(site, std::move(servers));
}

}  // namespace sallyport::connectors::ssh
