#include "agent/connectors/remote/listing.h"

#include "agent/policy/glob.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::connectors::remote {
namespace {

constexpr std::size_t kMostEntries = 1'000'000;

bool is_earlier(const platform::DirectoryEntry& a, const platform::DirectoryEntry& b) { return a.name < b.name; }

void take(Found& found, platform::DirectoryEntry file, std::size_t limit) {
  found.files.push_back(std::move(file));
  std::ranges::push_heap(found.files, is_earlier);
  if (found.files.size() <= limit) return;
  std::ranges::pop_heap(found.files, is_earlier);
  found.files.pop_back();
  found.over_limit = true;
}

}  // namespace

StepResult<Found> list_files(Files& files, const std::string& directory, const Listing& listing,
                             const CallLimits& limits) {
  Found found;
  std::size_t seen = 0;
  SP_CHECK(files.each_file(directory, limits, [&](Entry entry) -> StepResult<void> {
    if (++seen > kMostEntries)
      return step_fail("too_large", fmt::format("{} holds more than {} files", directory, kMostEntries));
    if (!policy::glob_matches(listing.pattern, entry.name)) return {};
    if (!entry.is_named) {
      ++found.skipped;
      return {};
    }
    const auto path = directory == "." ? entry.name : directory + "/" + entry.name;
    if (!listing.wants || listing.wants(path)) take(found, {path, std::move(entry.facts)}, listing.limit);
    return {};
  }));
  std::ranges::sort(found.files, is_earlier);
  SP_CHECK(files.complete(found.files, limits));
  return found;
}

Value describe(const platform::DirectoryEntry& file) {
  return Value(ValueMap{{Value("path"), Value(file.name)},
                        {Value("name"), Value(file.name.substr(file.name.rfind('/') + 1))},
                        {Value("size"), Value(static_cast<std::int64_t>(file.facts.size))},
                        {Value("mtime"), Value(rfc3339(from_unix_ms(file.facts.mtime_ns / 1'000'000)))}});
}

}  // namespace sallyport::connectors::remote
