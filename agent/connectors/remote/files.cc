#include "agent/connectors/remote/files.h"

#include "agent/connectors/translate.h"
#include "shared/base/utf8.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::connectors::remote {

StepResult<platform::FileFacts> Files::file_facts(const std::string& path, const CallLimits& limits) {
  SP_TRY(auto found, facts(path, limits));
  if (found.kind == Kind::file) return std::move(found.file);
  return step_fail("invalid", fmt::format("{} is not a regular file", path));
}

StepResult<bool> Files::exists(const std::string& path, const CallLimits& limits) {
  const auto found = facts(path, limits);
  if (found) return true;
  if (found.error().error_class() == "not_found") return false;
  return std::unexpected(found.error());
}

StepResult<void> Files::complete(std::vector<platform::DirectoryEntry>&, const CallLimits&) { return {}; }

NameVerdict judge_name(std::string_view name) {
  if (name.empty() || name.size() > 255 || name.contains('/') || name.contains('\0')) return NameVerdict::none;
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (std::ranges::any_of(name, is_control) || !is_valid_utf8(name)) return NameVerdict::unusable;
  return NameVerdict::good;
}

std::unexpected<StepError> behind_link(std::string_view directory) {
  return std::unexpected(to_step_error(policy::Refusal{
      "connections.yaml root", fmt::format("{} is, or lies behind, a symbolic link on the server", directory)}));
}

StepError without_answer(StepError error) {
  error.classes.insert(error.classes.begin(), "in_doubt");
  error.message += "; it may have happened all the same: look at the target";
  return error;
}

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

}  // namespace sallyport::connectors::remote
