#include "agent/connectors/file/listing.h"

#include "agent/connectors/translate.h"
#include "agent/policy/glob.h"
#include "shared/base/text.h"
#include "shared/base/utf8.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::connectors::file {
namespace {

std::string below(const std::string& directory, const std::string& name) {
  return directory == "." ? name : directory + "/" + name;
}

class Walk {
 public:
  Walk(const platform::Root& root, const Listing& listing) : root_(root), listing_(listing) {}

  StepResult<void> visit(const std::string& directory, int depth) {
    SP_TRY(auto entries, to_step(root_.list(directory, listing_.limit)));
    for (auto& entry : entries) {
      if (!policy::glob_matches(listing_.pattern, entry.name)) continue;
      if (found_.files.size() + found_.skipped.size() == listing_.limit)
        return step_fail("too_large", fmt::format("more than {} files match", listing_.limit));
      if (is_valid_utf8(entry.name)) {
        found_.files.push_back({below(directory, entry.name), std::move(entry.facts)});
      } else {
        found_.skipped.push_back(escaped_utf8(below(directory, entry.name)));
      }
    }
    if (depth == 0) return {};
    SP_TRY(const auto names, to_step(root_.directories(directory, listing_.limit)));
    for (const auto& name : names) {
      if (!is_valid_utf8(name)) {
        found_.skipped.push_back(escaped_utf8(below(directory, name)) + "/");
        continue;
      }
      auto visited = visit(below(directory, name), depth - 1);
      if (!visited && visited.error().error_class() != "not_found") return visited;
    }
    return {};
  }

  Found take() {
    std::ranges::sort(found_.files, {}, &platform::DirectoryEntry::name);
    return std::move(found_);
  }

 private:
  const platform::Root& root_;
  const Listing& listing_;
  Found found_;
};

}  // namespace

StepResult<Found> list_files(const platform::Root& root, const std::string& path, const Listing& listing) {
  Walk walk(root, listing);
  SP_CHECK(walk.visit(path, listing.depth));
  return walk.take();
}

}  // namespace sallyport::connectors::file
