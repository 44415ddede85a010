#include "agent/connectors/archive/zip_format.h"

#include "agent/connectors/archive/zip_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

namespace sallyport::connectors::archive {
namespace {

constexpr std::uint32_t kLocalMark = 0x04034b50, kDirectoryMark = 0x02014b50, kEndMark = 0x06054b50,
                        kWideEndMark = 0x06064b50, kWideLocatorMark = 0x07064b50;
constexpr std::size_t kEnd = 22, kWideLocator = 20, kWideEnd = 56;
constexpr std::uint16_t kWideField = 1;
constexpr std::uint32_t kSaturated32 = 0xFFFFFFFF;
constexpr std::uint16_t kEncryptedFlags = 1 | 1u << 6 | 1u << 13, kDescriptorFlag = 1u << 3;

std::unexpected<StepError> damaged(std::string_view why) {
  return step_fail("format", fmt::format("this is no ZIP that can be read: {}", why));
}
std::unexpected<StepError> damaged(std::uint64_t entry, std::string_view why) {
  return step_fail("format", fmt::format("the ZIP is refused: entry {} {}", entry, why));
}

// The end record whose comment reaches exactly to the end of the file. Two such are two archives in one.
StepResult<std::size_t> find_end(std::span<const std::byte> tail) {
  std::optional<std::size_t> found;
  for (std::size_t at = 0; at + kEnd <= tail.size(); ++at) {
    Fields fields(tail.subspan(at));
    if (fields.u32() != kEndMark) continue;
    fields.skip(16);
    if (fields.u16() != tail.size() - at - kEnd) continue;
    if (found) return damaged("it has two ends");
    found = at;
  }
  if (!found) return damaged("its end is missing");
  return *found;
}

struct End {
  std::uint16_t disk, directory_disk, entries_here, entries;
  std::uint32_t size, offset;
};

End read_end(Fields fields) {
  fields.skip(4);
  End end{};
  end.disk = fields.u16();
  end.directory_disk = fields.u16();
  end.entries_here = fields.u16();
  end.entries = fields.u16();
  end.size = fields.u32();
  end.offset = fields.u32();
  return end;
}

template <class Narrow>
bool agrees(Narrow narrow, std::uint64_t wide) {
  return narrow == static_cast<Narrow>(-1) || std::cmp_equal(narrow, wide);
}

// The ZIP64 end record, which stands right before its locator.
StepResult<ZipDirectory> wide_end(std::span<const std::byte> before, std::uint64_t offset, const End& end) {
  if (before.size() < kWideEnd + kWideLocator) return damaged("its ZIP64 end is missing");
  const auto at = before.size() - kWideLocator - kWideEnd;
  Fields locator(before.subspan(at + kWideEnd));
  locator.skip(4);
  const auto locator_disk = locator.u32();
  const auto record_offset = locator.u64();
  const auto disks = locator.u32();
  Fields record(before.subspan(at));
  const bool is_record = record.u32() == kWideEndMark && record.u64() == kWideEnd - 12;
  record.skip(4);
  const bool first_disk = record.u32() == 0 && record.u32() == 0 && locator_disk == 0 && disks <= 1;
  const auto entries_here = record.u64();
  ZipDirectory directory;
  directory.entries = record.u64();
  directory.size = record.u64();
  directory.offset = record.u64();
  if (!is_record || !first_disk || record_offset != offset + at || entries_here != directory.entries)
    return damaged("its ZIP64 end is damaged");
  if (!agrees(end.entries, directory.entries) || !agrees(end.size, directory.size) ||
      !agrees(end.offset, directory.offset))
    return damaged("its two ends contradict each other");
  return directory;
}

StepResult<void> check_directory(const ZipDirectory& directory, std::uint64_t end) {
  if (directory.entries > kMaxEntries)
    return step_fail("too_large", fmt::format("the ZIP has more than {} entries", kMaxEntries));
  if (directory.size > kMaxDirectory)
    return step_fail("too_large", fmt::format("the directory of the ZIP has more than {} bytes", kMaxDirectory));
  if (directory.offset > end || end - directory.offset != directory.size)
    return damaged("bytes belong to no entry, or entries are missing");
  return {};
}

// Sizes and offset over 4 GiB stand in an extra field, those alone that are not in the record itself.
void take_wide(Fields extra, std::array<std::uint64_t*, 3> values) {
  while (extra.left() >= 4) {
    const auto id = extra.u16();
    Fields field(extra.bytes(extra.u16()));
    if (id != kWideField) continue;
    for (auto* value : values) {
      if (value != nullptr && *value == kSaturated32 && field.left() >= 8) *value = field.u64();
    }
    return;
  }
}

StepResult<void> check_kind(std::uint64_t number, std::uint16_t made_by, std::uint32_t attributes) {
  constexpr unsigned kUnix = 3, kTypeBits = 0170000, kRegular = 0100000, kFolder = 0040000, kLink = 0120000;
  if (made_by >> 8 != kUnix) return {};
  const auto type = attributes >> 16 & kTypeBits;
  if (type == kLink) return damaged(number, "is a symbolic link");
  if (type != 0 && type != kRegular && type != kFolder) return damaged(number, "is neither a file nor a folder");
  return {};
}

StepResult<ZipEntry> parse_entry(Fields& fields, std::uint64_t number) {
  if (fields.u32() != kDirectoryMark) return damaged(number, "has no record in its directory");
  ZipEntry entry;
  const auto made_by = fields.u16();
  fields.skip(2);
  entry.flags = fields.u16();
  entry.method = fields.u16();
  fields.skip(4);
  entry.crc = fields.u32();
  entry.packed = fields.u32();
  entry.size = fields.u32();
  const auto name_length = fields.u16(), extra_length = fields.u16(), comment_length = fields.u16();
  const auto disk = fields.u16();
  fields.skip(2);
  const auto attributes = fields.u32();
  entry.offset = fields.u32();
  entry.name = as_text(fields.bytes(name_length));
  take_wide(Fields(fields.bytes(extra_length)), {&entry.size, &entry.packed, &entry.offset});
  fields.skip(comment_length);
  if (!fields.ok()) return damaged(number, "is cut");
  if (disk != 0) return damaged(number, "lies in another part of the archive");
  if (const auto named = check_entry_name(entry.name); !named) return damaged(number, "has " + named.error().message);
  SP_CHECK(check_kind(number, made_by, attributes));
  return entry;
}

// Sorts them by their offsets, and sees to it that each has room before the next.
StepResult<void> lay_out(std::vector<ZipEntry>& entries, std::uint64_t end) {
  std::ranges::sort(entries, {}, &ZipEntry::offset);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    auto& entry = entries[i];
    entry.limit = i + 1 < entries.size() ? entries[i + 1].offset : end;
    const auto head = kLocalHeader + entry.name.size();
    if (entry.offset > entry.limit || entry.limit - entry.offset < head ||
        entry.limit - entry.offset - head < entry.packed)
      return damaged(i + 1, "lies over another one");
  }
  return {};
}

StepResult<void> check_names_once(const std::vector<ZipEntry>& entries) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::string_view name = entries[i].name;
    if (!names.insert(entries[i].is_folder() ? name.substr(0, name.size() - 1) : name).second)
      return damaged(i + 1, "has the name of another one");
  }
  return {};
}

}  // namespace

bool ZipEntry::is_encrypted() const { return (flags & kEncryptedFlags) != 0; }

StepResult<void> check_entry_name(std::string_view name) {
  const auto refused = [](std::string_view why) { return step_fail("invalid", "a name " + std::string(why)); };
  if (name.empty() || name.size() > kMaxEntryName)
    return refused(fmt::format("of no characters, or of more than {} bytes", kMaxEntryName));
  if (!is_valid_utf8(name)) return refused("that is not UTF-8");
  if (std::ranges::any_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7F; }))
    return refused("with a control character");
  if (name.contains('\\')) return refused("with a backslash");
  if (name.size() > 1 && name[1] == ':') return refused("with a drive");
  if (name.ends_with('/')) name.remove_suffix(1);
  for (std::size_t at = 0; at <= name.size();) {
    const auto part = name.substr(at, name.find('/', at) - at);
    if (part.empty() || part == "." || part == "..") return refused("that leaves its folder, or is absolute");
    at += part.size() + 1;
  }
  return {};
}

StepResult<ZipDirectory> parse_zip_end(std::span<const std::byte> tail, std::uint64_t offset) {
  SP_TRY(const auto at, find_end(tail));
  const auto end = read_end(Fields(tail.subspan(at)));
  if (end.disk != 0 || end.directory_disk != 0 || end.entries_here != end.entries)
    return damaged("it is one part of several");
  const bool is_wide = at >= kWideLocator && Fields(tail.subspan(at - kWideLocator)).u32() == kWideLocatorMark;
  ZipDirectory directory{end.entries, end.offset, end.size};
  if (is_wide) {
    SP_TRY(directory, wide_end(tail.first(at), offset, end));
  }
  SP_CHECK(check_directory(directory, offset + at - (is_wide ? kWideLocator + kWideEnd : 0)));
  return directory;
}

StepResult<std::vector<ZipEntry>> parse_zip_directory(std::span<const std::byte> bytes, const ZipDirectory& directory) {
  Fields fields(bytes);
  std::vector<ZipEntry> entries;
  while (fields.left() > 0) {
    if (entries.size() == directory.entries) return damaged("it has more entries than it says");
    SP_TRY(auto entry, parse_entry(fields, entries.size() + 1));
    entries.push_back(std::move(entry));
  }
  if (entries.size() != directory.entries) return damaged("it has fewer entries than it says");
  SP_CHECK(check_names_once(entries));
  SP_CHECK(lay_out(entries, directory.offset));
  return entries;
}

StepResult<std::size_t> local_header_rest(std::span<const std::byte> fixed) {
  Fields fields(fixed);
  if (fields.u32() != kLocalMark) return step_fail("format", "the ZIP is damaged: an entry is not where it should be");
  fields.skip(22);
  const auto name = fields.u16(), extra = fields.u16();
  return std::size_t{name} + extra;
}

StepResult<void> check_local_header(std::span<const std::byte> header, const ZipEntry& entry) {
  Fields fields(header);
  fields.skip(6);
  const auto flags = fields.u16(), method = fields.u16();
  fields.skip(4);
  const auto crc = fields.u32();
  std::uint64_t packed = fields.u32(), size = fields.u32();
  const auto name_length = fields.u16(), extra_length = fields.u16();
  const auto name = as_text(fields.bytes(name_length));
  take_wide(Fields(fields.bytes(extra_length)), {&size, &packed, nullptr});
  const bool told_later = (flags & kDescriptorFlag) != 0;
  const bool same_sizes = told_later || (crc == entry.crc && packed == entry.packed && size == entry.size);
  const bool same_flags = ((flags ^ entry.flags) & kEncryptedFlags) == 0;
  if (!fields.ok() || !same_flags || method != entry.method || name != entry.name || !same_sizes)
    return step_fail("format", "the ZIP is refused: an entry and the directory contradict each other");
  const auto room = entry.limit - entry.offset;
  if (room < header.size() || room - header.size() < entry.packed)
    return step_fail("format", "the ZIP is refused: an entry lies over another one");
  return {};
}

}  // namespace sallyport::connectors::archive
