#pragma once

#include "agent/connectors/step_error.h"
#include "shared/base/text.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// The records of a ZIP (PKWARE's APPNOTE 6.3.10, section 4) without IO, with ZIP64. Reading is strict, because archives
// that two programs understand in two ways are an attack: one end of the directory at the end of the file, nothing
// between the directory and it, no entry over another, each name once, and none that would leave a folder. Errors are
// class "format", or "too_large"; they name an entry by its number, never by its name.
namespace sallyport::connectors::archive {

enum class Method : std::uint16_t { stored = 0, deflated = 8 };

struct ZipEntry {
  std::string name;  // UTF-8, parts separated by `/`; ends with one when it is a folder
  std::uint16_t flags = 0, method = 0;
  std::uint32_t crc = 0;
  std::uint64_t packed = 0, size = 0;
  std::uint64_t offset = 0;  // of its local header
  std::uint64_t limit = 0;   // where the next thing in the archive begins

  bool is_folder() const { return name.ends_with('/'); }
  bool is_encrypted() const;
};

struct ZipDirectory {
  std::uint64_t entries = 0, offset = 0, size = 0;
};

inline constexpr std::size_t kMaxEntryName = 1024;
inline constexpr std::uint64_t kMaxEntries = 65'536;
inline constexpr std::uint64_t kMaxDirectory = 8u << 20;
// As much of the end of a ZIP as may have to be looked at: the end records with the longest comment.
inline constexpr std::size_t kZipTail = 22 + 65'535 + 20 + 56;

// Class "invalid" for a name that is empty, too long, no UTF-8, absolute or with a drive, or that has a backslash, a
// control character or a part that is empty, `.` or `..`.
StepResult<void> check_entry_name(std::string_view name);

// `tail` is the end of the file and begins at `offset`.
StepResult<ZipDirectory> parse_zip_end(std::span<const std::byte> tail, std::uint64_t offset);
// The entries in the order of their offsets. `bytes` are those of the directory.
StepResult<std::vector<ZipEntry>> parse_zip_directory(std::span<const std::byte> bytes, const ZipDirectory& directory);

inline constexpr std::size_t kLocalHeader = 30;
// How many bytes follow the first kLocalHeader of an entry's local header; class "format" when it is none.
StepResult<std::size_t> local_header_rest(std::span<const std::byte> fixed);
// Whether the whole local header says the same as the directory, and the packed bytes after it have room.
StepResult<void> check_local_header(std::span<const std::byte> header, const ZipEntry& entry);

// What is written. Entries have no time but the first that a ZIP can name (1980-01-01), so that the same content makes
// the same bytes. Sizes and CRC follow the packed bytes in a data descriptor; `Sizes::wide` has room for 4 GiB and
// more.
enum class Sizes { narrow, wide };
inline constexpr std::uint64_t kNarrowSize = 0xFFFF'FFFEu;
std::string local_header(const ZipEntry& entry, Sizes sizes);
std::string data_descriptor(const ZipEntry& entry, Sizes sizes);
std::string directory_record(const ZipEntry& entry);
std::string end_of_zip(const ZipDirectory& directory);

}  // namespace sallyport::connectors::archive
