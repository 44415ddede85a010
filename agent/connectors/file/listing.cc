#include "agent/connectors/file/listing.h"

#include "agent/connectors/translate.h"
#include "agent/policy/glob.h"
#include "shared/base/text.h"
#include "shared/base/utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace sallyport::connectors::file {
namespace {

std::string below(const std::string& directory, const std::string& name) {
  return directory == "." ? name : directory + "/" + name;
}

constexpr std::size_t kMostDirectories = 100'000;
constexpr std::size_t kMostSkipped = 10'000;

bool is_newer(const platform::DirectoryEntry& a, const platform::DirectoryEntry& b) {
  return std::tie(a.facts.mtime_ns, a.name) > std::tie(b.facts.mtime_ns, b.name);
}

bool is_earlier(const platform::DirectoryEntry& a, const platform::DirectoryEntry& b) { return a.name < b.name; }

class Walk {
 public:
  Walk(const platform::Root& root, const Listing& listing) : root_(root), listing_(listing) {}

  StepResult<void> visit(const std::string& directory, int depth) {
    SP_CHECK(take_files(directory));
    if (depth == 0) return {};
    SP_TRY(const auto names, directories_in(directory));
    for (const auto& name : names) {
      if (!is_valid_utf8(name)) {
        SP_CHECK(skip(escaped_utf8(below(directory, name)) + "/"));
        continue;
      }
      auto visited = visit(below(directory, name), depth - 1);
      if (visited || visited.error().error_class() == "not_found") continue;
      if (!gives_newest()) return visited;
      close(std::move(visited.error().message));
    }
    return {};
  }

  Found take() {
    std::ranges::sort(found_.files, {}, &platform::DirectoryEntry::name);
    return std::move(found_);
  }

 private:
  bool fails() const { return listing_.over == Listing::Over::fails; }
  bool gives_newest() const { return listing_.over == Listing::Over::gives_newest; }

  StepResult<void> take_files(const std::string& directory) {
    StepResult<void> taken;
    const auto matches = [this](std::string_view name) { return policy::glob_matches(listing_.pattern, name); };
    SP_CHECK(to_step(root_.each_file(directory, matches, [&](platform::DirectoryEntry file) {
      taken = take(directory, std::move(file));
      return taken.has_value();
    })));
    return taken;
  }

  StepResult<void> take(const std::string& directory, platform::DirectoryEntry file) {
    file.name = below(directory, file.name);
    if (!is_valid_utf8(file.name)) return skip(escaped_utf8(file.name));
    if (listing_.wants && !listing_.wants(file.name)) return {};
    if (fails()) SP_CHECK(make_room());
    found_.files.push_back(std::move(file));
    if (fails()) return {};
    const auto is_before = gives_newest() ? is_newer : is_earlier;  // the last of that order goes first
    std::ranges::push_heap(found_.files, is_before);
    if (found_.files.size() <= listing_.limit) return {};
    std::ranges::pop_heap(found_.files, is_before);
    found_.files.pop_back();
    found_.over_limit = true;
    return {};
  }

  StepResult<void> make_room() const {
    if (found_.files.size() + found_.skipped.size() < listing_.limit) return {};
    return step_fail("too_large", fmt::format("more than {} files match", listing_.limit));
  }

  StepResult<void> skip(std::string path) {
    if (fails()) SP_CHECK(make_room());
    if (found_.skipped.size() < std::max(listing_.limit, kMostSkipped)) found_.skipped.push_back(std::move(path));
    return {};
  }

  void close(std::string why) {
    if (found_.closed.size() < listing_.limit) found_.closed.push_back(std::move(why));
  }

  StepResult<std::vector<std::string>> directories_in(const std::string& directory) {
    std::vector<std::string> names;
    bool all = true;
    SP_CHECK(to_step(root_.each_directory(directory, [&](std::string name) {
      all = directories_ < kMostDirectories;
      if (all) names.push_back(std::move(name)), ++directories_;
      return all;
    })));
    const auto why = fmt::format("{} and others hold more than {} directories", directory, kMostDirectories);
    if (!all && !gives_newest()) return step_fail("too_large", why);
    if (!all) close(why);
    std::ranges::sort(names);
    return names;
  }

  const platform::Root& root_;
  const Listing& listing_;
  Found found_;
  std::size_t directories_ = 0;
};

}  // namespace

StepResult<Found> list_files(const platform::Root& root, const std::string& path, const Listing& listing) {
  Walk walk(root, listing);
  SP_CHECK(walk.visit(path, listing.depth));
  return walk.take();
}

}  // namespace sallyport::connectors::file
