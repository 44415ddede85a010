#include "agent/connectors/file/unread_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace sallyport::connectors::file {
namespace {

constexpr std::size_t kNamed = 3;

std::string and_more(std::size_t count) { return count > 0 ? fmt::format(" (and {} more)", count) : std::string(); }

}  // namespace

void UnreadFiles::add(const platform::DirectoryEntry& file, std::string why) {
  const auto [it, is_new] = files_.try_emplace(file.name, Unread{file.facts, why, next_});
  if (is_new) ++next_;
  it->second.facts = file.facts;
  it->second.why = std::move(why);
}

void UnreadFiles::keep_only(const std::vector<platform::DirectoryEntry>& present) {
  std::erase_if(files_, [&](const auto& entry) {
    const auto& [name, unread] = entry;
    const auto it = std::ranges::lower_bound(present, name, {}, &platform::DirectoryEntry::name);
    return it == present.end() || it->name != name || it->facts != unread.facts;
  });
}

std::string UnreadFiles::text() const {
  if (files_.empty()) return {};
  std::vector<const std::pair<const std::string, Unread>*> newest;
  newest.reserve(files_.size());
  for (const auto& entry : files_) newest.push_back(&entry);
  std::ranges::sort(newest, std::ranges::greater(), [](const auto* entry) { return entry->second.number; });
  std::vector<std::string> named;
  for (const auto* entry : newest) {
    if (named.size() < kNamed) named.push_back(fmt::format("{}: {}", entry->first, entry->second.why));
  }
  return fmt::format("passed over until it can be read: {}{}", fmt::join(named, "; "),
                     and_more(newest.size() - named.size()));
}

std::string passed_over_text(const Found& found, const UnreadFiles& unread, std::size_t most) {
  std::vector<std::string> parts;
  if (auto text = unread.text(); !text.empty()) parts.push_back(std::move(text));
  if (found.over_limit)
    parts.push_back(
        fmt::format("more than {} files match: only the newest are looked at, move or delete the others", most));
  if (!found.closed.empty())
    parts.push_back(
        fmt::format("a directory is passed over: {}{}", found.closed.front(), and_more(found.closed.size() - 1)));
  if (!found.skipped.empty())
    parts.push_back(fmt::format("the name of {}{} is not UTF-8: it is passed over until it is renamed",
                                found.skipped.front(), and_more(found.skipped.size() - 1)));
  return fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace sallyport::connectors::file
