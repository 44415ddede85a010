#include "relay/cli/recipe_apply.h"

#include "relay/cli/recipe_file.h"
#include "relay/cli/requests.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace sallyport::cli {
namespace {

std::string outcome_line(const std::string& name, std::int64_t version, const std::string& outcome) {
  if (outcome == "recipe_created") return fmt::format("{}: created version {}\n", name, version);
  if (outcome == "version_added") return fmt::format("{}: added version {}\n", name, version);
  return fmt::format("{}: unchanged, the same as version {}\n", name, version);
}

std::vector<std::string> files_of(const Arguments& arguments) {
  std::vector<std::string> files(arguments.all("file").begin(), arguments.all("file").end());
  files.insert(files.end(), arguments.positionals().begin(), arguments.positionals().end());
  return files;
}

Result<void> check_files(const Arguments& arguments) {
  const auto files = files_of(arguments);
  if (files.empty()) return fail(Errc::invalid, "give one FILE or more (- reads standard input)");
  if (std::ranges::count(files, "-") > 1) return fail(Errc::invalid, "standard input can be read once only");
  return {};
}

// The files of one command, and which recipe came from which.
class Apply {
 public:
  Apply(Context& context, Client& client, const Arguments& arguments)
      : context_(context), client_(client), files_(files_of(arguments)), activates_(arguments.has("activate")) {}

  Result<void> run() {
    if (files_.size() == 1) return apply(files_[0]);
    std::size_t failed = 0;
    for (std::size_t i = 0; i < files_.size(); ++i) {
      const auto applied = apply(files_[i]);
      if (applied) continue;
      if (!is_of_file(applied.error().code))
        return in_context(fmt::format("{} (file {} of {})", files_[i], i + 1, files_.size()), applied.error());
      complain(files_[i], applied.error().message);
      ++failed;
    }
    if (failed == 0) return {};
    return fail(Errc::invalid, fmt::format("{} of {} files failed", failed, files_.size()));
  }

 private:
  // Not what every other file would meet, too.
  static bool is_of_file(Errc code) {
    return code == Errc::conflict || code == Errc::invalid || code == Errc::not_found || code == Errc::too_large;
  }

  // A problem of a recipe names its file already.
  void complain(const std::string& file, const std::string& why) const {
    context_.complain(terminal_safe_lines(why.starts_with(file + ":") ? why : fmt::format("{}: {}", file, why)));
  }

  // Two files with one recipe would make new versions of it for ever, each time they are applied.
  Result<void> note(const std::string& recipe, const std::string& file) {
    const auto [other, fresh] = from_.try_emplace(recipe, file);
    if (fresh) return {};
    return fail(Errc::invalid, fmt::format("the recipe {} is in {} already", recipe, other->second));
  }

  Result<void> apply(const std::string& path) {
    SP_TRY(const auto file, load_recipe_file(context_, path));
    SP_CHECK(note(file.recipe.name, path));
    SP_TRY(const auto applied, client_.post_once("/v1/recipes", Value(ValueMap{{Value("yaml"), Value(file.yaml)}})));
    const Value* recipe = applied.find("recipe");
    const Value* version = applied.find("version");
    if (recipe == nullptr || version == nullptr || !version->is(Value::Kind::int64))
      return fail(Errc::invalid, "the relay's answer is not understood");
    const auto name = text_of(*recipe, "name");
    const auto line = outcome_line(name, version->as_int(), text_of(applied, "outcome"));
    auto whole = applied.as_map();
    if (!activates_) return show(path, std::move(whole), line);
    const auto active = activate_version(client_, text_of(*recipe, "id"), version->as_int());
    if (!active) {
      SP_CHECK(show(path, std::move(whole), line));
      return in_context(fmt::format("version {} is not active", version->as_int()), active.error());
    }
    whole.insert_or_assign(Value("recipe"), *active);
    return show(path, std::move(whole), fmt::format("{}{}: version {} is active\n", line, name, version->as_int()));
  }

  Result<void> show(const std::string& path, ValueMap applied, std::string_view line) const {
    if (files_.size() == 1) {
      context_.show(Value(std::move(applied)), line);
    } else {
      applied.emplace(Value("file"), Value(path));
      context_.show_line(Value(std::move(applied)), line);
    }
    return {};
  }

  Context& context_;
  Client& client_;
  std::vector<std::string> files_;
  bool activates_;
  std::map<std::string, std::string> from_;  // recipe -> file
};

int apply(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) { return Apply(context, client, arguments).run(); });
}

}  // namespace

Command recipe_apply_command() {
  return {"recipes",
          "apply",
          {"[FILE...]"},
          {{"file", "FILE...", "a recipe's YAML (also -f; - reads standard input)"},
           {"activate", "", "make the version active at once"}},
          "store recipes as their next versions, if they differ from the last",
          apply,
          check_files,
          "Several files are applied one after the other. One that fails is told of and keeps no other from it: the\n"
          "exit code is 0 only when all of them were applied."};
}

}  // namespace sallyport::cli
