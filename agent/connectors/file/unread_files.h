#pragma once

#include "agent/connectors/file/listing.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sallyport::connectors::file {

// The files of a watch that could not be read, until they are gone, changed or read after all. No IO.
class UnreadFiles {
 public:
  void add(const platform::DirectoryEntry& file, std::string why);
  void remove(const std::string& name) { files_.erase(name); }
  void keep_only(const std::vector<platform::DirectoryEntry>& present);  // sorted by name
  // The newest ones with the reason, and how many more; empty when there are none.
  std::string text() const;

 private:
  struct Unread {
    platform::FileFacts facts;
    std::string why;
    std::uint64_t number;
  };
  std::map<std::string, Unread> files_;
  std::uint64_t next_ = 0;
};

// What a watch passes over, in one text: unread files, and what the listing could not give. Empty when that is nothing.
std::string passed_over_text(const Found& found, const UnreadFiles& unread, std::size_t most);

}  // namespace sallyport::connectors::file
