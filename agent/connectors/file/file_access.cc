#include "agent/connectors/file/file_access.h"

#include "agent/connectors/file/file_handle.h"
#include "agent/connectors/paths.h"
#include "agent/connectors/translate.h"
#include "agent/platform/fd_io.h"

#include <array>

namespace sallyport::connectors::file {

StepResult<Access> Access::open(const Site& site, const StepContext& context, std::string_view action) {
  SP_CHECK(check_allowed(site, context, action));
  SP_TRY(auto root, open_root(site, context.connection));
  Access access(site, context, std::move(root));
  SP_CHECK(access.check_going_on());
  return access;
}

StepResult<std::string> Access::clean(std::string_view path) const {
  return path_below_root(context_.connection, path);
}

StepResult<std::string> Access::allowed(policy::FileVerb verb, std::string_view path) const {
  SP_TRY(auto cleaned, clean(path));
  SP_CHECK(to_step(site_.policy.check_file(context_.connection, verb, cleaned)));
  return cleaned;
}

StepResult<void> Access::check_size(std::uint64_t bytes) const {
  return connectors::check_size(site_, context_.connection, bytes);
}

StepError change_error(platform::ChangeError error) {
  auto step = to_step_error(std::move(error.error));
  if (!error.unsure) return step;
  step.classes.insert(step.classes.begin(), "in_doubt");
  step.message += "; it may have happened all the same: look at the target";
  return step;
}

StepResult<std::string> hash_file(const Access& access, int fd) {
  crypto::Sha256 hash;
  std::array<std::byte, 65536> buffer;
  for (std::uint64_t at = 0;;) {
    SP_CHECK(access.check_going_on());
    SP_TRY(const auto got, to_step(platform::read_at(fd, at, buffer)));
    if (got == 0) return hex(hash.finish());
    hash.update(std::span(buffer).first(got));
    at += got;
  }
}

}  // namespace sallyport::connectors::file
