#include "agent/connectors/archive/zip_fields.h"
#include "agent/connectors/archive/zip_format.h"

#include <algorithm>

namespace sallyport::connectors::archive {
namespace {

// Data follows in a descriptor; the name is UTF-8.
constexpr std::uint16_t kFlags = 1u << 3 | 1u << 11;
constexpr std::uint16_t kNarrowVersion = 20, kWideVersion = 45, kWideField = 1;
constexpr std::uint16_t kTime = 0, kDate = 1u << 5 | 1;  // 1980-01-01 00:00
constexpr std::uint32_t kSaturated = 0xFFFFFFFF;

std::uint32_t narrow(std::uint64_t number) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(number, kSaturated));
}

}  // namespace

std::string local_header(const ZipEntry& entry, Sizes sizes) {
  const bool wide = sizes == Sizes::wide;
  FieldsOut out;
  out.u32(0x04034b50).u16(wide ? kWideVersion : kNarrowVersion).u16(kFlags).u16(entry.method).u16(kTime).u16(kDate);
  out.u32(0).u32(wide ? kSaturated : 0).u32(wide ? kSaturated : 0);
  out.u16(static_cast<std::uint16_t>(entry.name.size())).u16(wide ? 20 : 0).text(entry.name);
  if (wide) out.u16(kWideField).u16(16).u64(0).u64(0);
  return out.take();
}

std::string data_descriptor(const ZipEntry& entry, Sizes sizes) {
  FieldsOut out;
  out.u32(0x08074b50).u32(entry.crc);
  if (sizes == Sizes::wide) return out.u64(entry.packed).u64(entry.size).take();
  return out.u32(narrow(entry.packed)).u32(narrow(entry.size)).take();
}

std::string directory_record(const ZipEntry& entry) {
  FieldsOut wide;
  for (const auto number : {entry.size, entry.packed, entry.offset}) {
    if (number >= kSaturated) wide.u64(number);
  }
  const auto extra = wide.take();
  const std::uint16_t version = extra.empty() ? kNarrowVersion : kWideVersion;
  FieldsOut out;
  out.u32(0x02014b50).u16(version).u16(version).u16(kFlags).u16(entry.method).u16(kTime).u16(kDate).u32(entry.crc);
  out.u32(narrow(entry.packed)).u32(narrow(entry.size)).u16(static_cast<std::uint16_t>(entry.name.size()));
  out.u16(static_cast<std::uint16_t>(extra.empty() ? 0 : extra.size() + 4)).u16(0).u16(0).u16(0).u32(0);
  out.u32(narrow(entry.offset)).text(entry.name);
  if (!extra.empty()) out.u16(kWideField).u16(static_cast<std::uint16_t>(extra.size())).text(extra);
  return out.take();
}

std::string end_of_zip(const ZipDirectory& directory) {
  FieldsOut out;
  const bool wide = directory.entries >= 0xFFFF || directory.size >= kSaturated || directory.offset >= kSaturated;
  if (wide) {
    out.u32(0x06064b50).u64(44).u16(kWideVersion).u16(kWideVersion).u32(0).u32(0);
    out.u64(directory.entries).u64(directory.entries).u64(directory.size).u64(directory.offset);
    out.u32(0x07064b50).u32(0).u64(directory.offset + directory.size).u32(1);
  }
  const auto entries = static_cast<std::uint16_t>(std::min<std::uint64_t>(directory.entries, 0xFFFF));
  out.u32(0x06054b50).u16(0).u16(0).u16(entries).u16(entries).u32(narrow(directory.size));
  return out.u32(narrow(directory.offset)).u16(0).take();
}

}  // namespace sallyport::connectors::archive
