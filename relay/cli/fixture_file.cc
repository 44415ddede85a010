#include "relay/cli/fixture_file.h"

#include "relay/cli/caret.h"
#include "shared/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace sallyport::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnding = ".test.yaml";
constexpr std::size_t kMostFiles = 1'000;

Result<std::vector<std::string>> files_in(const fs::path& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().filename().string().ends_with(kEnding)) files.push_back(it->path().string());
    if (files.size() > kMostFiles)
      return fail(Errc::too_large, fmt::format("{}: more than {} fixtures", folder.string(), kMostFiles));
  }
  if (error) return fail(Errc::invalid, fmt::format("{}: {}", folder.string(), error.message()));
  std::ranges::sort(files);
  return files;
}

// A file of items beside the fixture, or below it: a fixture reads nothing else.
Result<std::string> read_beside(const fs::path& fixture, const std::string& name) {
  const fs::path path = fs::path(name).lexically_normal();
  if (name.empty() || path.is_absolute() || *path.begin() == "..")
    return fail(Errc::invalid, "`file` must be a path beside the fixture or below it");
  return read_file((fixture.parent_path() / path).string(), fixtures::kMaxItemsBytes);
}

std::string line_of(std::string_view text, int number) {
  for (; number > 1; --number) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return "";
    text.remove_prefix(end + 1);
  }
  return std::string(text.substr(0, text.find_first_of("\r\n")));
}

Error told(const yaml::Problems& problems, std::string_view text) {
  std::string message;
  for (const auto& problem : problems) {
    const auto pointer = pointed_at(text, {problem.line, problem.column});
    message += (message.empty() ? "" : "\n") + yaml::to_string(problem) + pointer;
  }
  return {Errc::invalid, std::move(message)};
}

}  // namespace

std::string pointed_at(std::string_view text, yaml::Position at) {
  constexpr std::size_t kLongest = 200;
  const auto line = line_of(text, at.line);
  if (at.line < 1 || line.empty() || line.size() > kLongest || !is_valid_utf8(line)) return "";
  return fmt::format("\n  {}\n  {}", terminal_safe_lines(line), caret_under(line, at.column));
}

std::string fixture_beside(const std::string& recipe) {
  fs::path path(recipe);
  path.replace_extension();
  return path.string() + std::string(kEnding);
}

Result<FixtureFile> load_fixture(const Context& context, const recipe::Recipe& recipe, const std::string& path) {
  SP_TRY(auto text, read_input(context, path, fixtures::kMaxBytes + 1));
  auto fixture = fixtures::read_fixture(
      text, recipe, {.file = path, .open = [&](const std::string& name) { return read_beside(path, name); }});
  if (!fixture) return std::unexpected(told(fixture.error(), text));
  return FixtureFile{std::move(text), *std::move(fixture)};
}

Result<std::vector<std::string>> fixture_files(const std::string& given) {
  std::error_code error;
  if (!fs::is_directory(given, error)) return std::vector{given};
  SP_TRY(auto files, files_in(given));
  if (files.empty()) return fail(Errc::invalid, fmt::format("{}: no file in it ends in {}", given, kEnding));
  return files;
}

}  // namespace sallyport::cli
