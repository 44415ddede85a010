#include "agent/connectors/remote/remote_actions_parts.h"

namespace sallyport::connectors::remote {
namespace {

using platform::Replace;

class Move final : public RemoteAction {
 public:
  using RemoteAction::RemoteAction;

  StepResult<Output> run_on(Access& access, const Arguments& arguments) const override {
    SP_TRY(const auto wanted, arguments.text("from"));
    SP_TRY(const auto from, access.allowed(policy::FileVerb::remove, wanted));
    SP_TRY(const auto target, arguments.text("to"));
    SP_TRY(const auto destination, resolve_target(access, target, from));
    SP_TRY(const auto to, access.allowed(policy::FileVerb::write, destination));
    SP_CHECK(move(access, from, to, arguments.is_true("overwrite") ? Replace::allowed : Replace::never));
    return Output{Value(ValueMap{{Value("path"), Value(to)}})};
  }

 private:
  // A directory that exists keeps the file's name; one written with a slash at its end must exist. Asked only where the
  // policy lets something be written below it: others learn nothing.
  static StepResult<std::string> resolve_target(Access& access, const std::string& target, const std::string& from) {
    SP_TRY(auto clean, access.clean(target));
    const auto name = from.substr(from.rfind('/') + 1);
    auto inside = clean == "." ? name : clean + "/" + name;
    if (clean == ".") return inside;
    if (!access.allowed(policy::FileVerb::write, inside) && !target.ends_with('/')) return clean;
    SP_TRY(auto* const files, access.files());
    const auto found = files->facts(clean, access.limits());
    const bool is_directory = found && found->kind == Kind::directory;
    if (is_directory) return inside;
    if (!found && (target.ends_with('/') || found.error().error_class() != "not_found"))
      return std::unexpected(found.error());
    return clean;
  }

  static StepResult<void> move(Access& access, const std::string& from, const std::string& to, Replace replace) {
    if (from == to) return {};
    SP_TRY(auto* const files, access.files());
    const auto source = files->file_facts(from, access.limits());
    if (source) return files->rename(from, to, replace, access.limits());
    if (source.error().error_class() == "not_found" && access.context().repeated) {
      SP_TRY(const auto arrived, files->exists(to, access.limits()));  // by a run before this one
      if (arrived) return {};
    }
    return std::unexpected(source.error());
  }
};

class Delete final : public RemoteAction {
 public:
  using RemoteAction::RemoteAction;

  StepResult<Output> run_on(Access& access, const Arguments& arguments) const override {
    SP_TRY(const auto wanted, arguments.text("path"));
    SP_TRY(const auto path, access.allowed(policy::FileVerb::remove, wanted));
    SP_TRY(auto* const files, access.files());
    SP_TRY(const auto there, files->exists(path, access.limits()));
    if (there) {
      SP_CHECK(files->file_facts(path, access.limits()));
      SP_CHECK(files->remove(path, access.limits()));
    }
    return Output{Value(ValueMap{{Value("deleted"), Value(there)}})};
  }
};

}  // namespace

std::unique_ptr<Action> make_move(const Site& site, ServersPtr servers, std::string name) {
  return std::make_unique<Move>(site, std::move(servers), std::move(name));
}
std::unique_ptr<Action> make_delete(const Site& site, ServersPtr servers, std::string name) {
  return std::make_unique<Delete>(site, std::move(servers), std::move(name));
}

}  // namespace sallyport::connectors::remote
