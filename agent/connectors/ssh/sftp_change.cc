#include "agent/connectors/ssh/sftp_access.h"
#include "agent/connectors/ssh/ssh_actions_parts.h"

namespace sallyport::connectors::ssh {
namespace {

using platform::Replace;

class SftpMove final : public Action {
 public:
  SftpMove(Site site, ServersPtr servers) : site_(site), servers_(std::move(servers)) {}
  std::string_view name() const override { return "sftp.move@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_TRY(auto access, Access::open(site_, *servers_, context, name()));
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
    const auto inside = clean == "." ? name : clean + "/" + name;
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

  Site site_;
  ServersPtr servers_;
};

class SftpDelete final : public Action {
 public:
  SftpDelete(Site site, ServersPtr servers) : site_(site), servers_(std::move(servers)) {}
  std::string_view name() const override { return "sftp.delete@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_TRY(auto access, Access::open(site_, *servers_, context, name()));
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

 private:
  Site site_;
  ServersPtr servers_;
};

}  // namespace

std::unique_ptr<Action> make_move(Site site, ServersPtr servers) {
  return std::make_unique<SftpMove>(site, std::move(servers));
}
std::unique_ptr<Action> make_delete(Site site, ServersPtr servers) {
  return std::make_unique<SftpDelete>(site, std::move(servers));
}

}  // namespace sallyport::connectors::ssh
