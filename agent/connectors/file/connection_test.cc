#include "agent/connectors/file/connection_test.h"

#include "agent/platform/beneath.h"

#include <fmt/format.h>

namespace sallyport::connectors::file {
using findings::Finding;
using findings::Verdict;
namespace {

Result<void> check(const platform::Root& root, const std::string& directory, bool changes) {
  if (changes) return root.check_changeable(directory);
  SP_TRY(const auto entered, root.open_directory(directory));
  return {};
}

// Of one rule of the policy. A directory that is not there yet may be made by whoever fills it.
Finding examine(const platform::Root& root, const std::string& shown, const policy::FileRule& rule) {
  const auto& directory = rule.directory;
  const bool changes = (rule.verbs & ~static_cast<unsigned>(policy::FileVerb::read)) != 0;
  const auto allowed = check(root, directory, changes);
  const auto where = directory == "." ? shown : shown + "/" + directory;
  if (allowed)
    return {"permission", Verdict::good,
            fmt::format("{} can be {} ({})", where, changes ? "entered and changed" : "entered", rule.rule)};
  const bool absent = allowed.error().code == Errc::not_found;
  return {"permission", absent ? Verdict::note : Verdict::bad, allowed.error().message,
          absent ? fmt::format("make {}, or correct {}", where, rule.rule)
                 : fmt::format("give the agent's user what {} allows, or narrow the rule", rule.rule)};
}

}  // namespace

findings::Findings FileConnectionTest::run(const policy::Connection& connection, SteadyTime) {
  const auto& shown = connection.file()->root;
  const auto root = platform::Root::open(shown);
  if (!root)
    return {{"directory", Verdict::bad, root.error().message,
             "mount it, give the agent's user the right to enter it, or correct `root` in connections.yaml"}};
  findings::Findings findings{{"directory", Verdict::good, fmt::format("{} can be entered", shown)}};
  const auto rules = policy_.connections().find(connection.name);
  if (rules == policy_.connections().end() || rules->second.files.empty()) {
    findings.push_back({"permission", Verdict::note, "policy.yaml allows no file of it",
                        fmt::format("add connections.{}.files to policy.yaml", connection.name)});
    return findings;
  }
  for (const auto& rule : rules->second.files) findings.push_back(examine(*root, shown, rule));
  return findings;
}

}  // namespace sallyport::connectors::file
