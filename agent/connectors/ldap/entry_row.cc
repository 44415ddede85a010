#include "agent/connectors/ldap/entry_row.h"

#include "agent/connectors/row_limit.h"
#include "shared/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace sallyport::connectors::ldap {
namespace {

constexpr std::string_view kRange = ";range=";
constexpr std::string_view kBinary = ";binary";

// Octet strings and the like in the schemas of RFC 4523, RFC 2798 and Active Directory, lower case, sorted.
constexpr std::array<std::string_view, 21> kAlwaysBinary{"audio",
                                                         "authorityrevocationlist",
                                                         "cacertificate",
                                                         "certificaterevocationlist",
                                                         "crosscertificatepair",
                                                         "deltarevocationlist",
                                                         "jpegphoto",
                                                         "logonhours",
                                                         "ms-ds-consistencyguid",
                                                         "msexchmailboxguid",
                                                         "ntsecuritydescriptor",
                                                         "objectguid",
                                                         "objectsid",
                                                         "photo",
                                                         "schemaidguid",
                                                         "sidhistory",
                                                         "thumbnaillogo",
                                                         "thumbnailphoto",
                                                         "usercertificate",
                                                         "userpkcs12",
                                                         "usersmimecertificate"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

Value value_of(std::string_view value, bool binary) {
  if (!binary && is_valid_utf8(value)) return Value(value);
  const auto bytes = as_bytes(value);
  return Value(Bytes(bytes.begin(), bytes.end()));
}

}  // namespace

std::string folded_name(std::string_view name) {
  auto folded = lower(name);
  folded.resize(std::min(folded.find(kRange), folded.size()));
  if (const auto at = folded.find(kBinary); at != std::string::npos) folded.erase(at, kBinary.size());
  return folded;
}

std::optional<std::uint64_t> next_of_range(std::string_view name) {
  const auto folded = lower(name);
  const auto at = folded.find(kRange);
  const auto dash = at == std::string::npos ? at : folded.find('-', at + kRange.size());
  if (dash == std::string::npos) return std::nullopt;
  std::uint64_t last = 0;
  const char* const end = folded.data() + folded.size();
  const auto [stop, problem] = std::from_chars(folded.data() + dash + 1, end, last);
  const bool whole = problem == std::errc() && stop == end && last < UINT32_MAX;
  return whole ? std::optional(last + 1) : std::nullopt;
}

StepResult<void> EntryRow::take(const Entry::Attribute& attribute) {
  const auto name = folded_name(attribute.name);
  const auto is_column = [&](const std::string& column) { return folded_name(column) == name; };
  if (std::ranges::none_of(columns_.attributes, is_column)) return {};
  const bool binary = columns_.binary.contains(name) || std::ranges::binary_search(kAlwaysBinary, name);
  auto& values = values_[name];
  for (const auto value : attribute.values) {
    bytes_ += value.size();
    if (bytes_ > kMaxRow)
      return step_fail("too_large", fmt::format("an entry is larger than {} bytes, the limit for one row", kMaxRow));
    values.push_back(value_of(value, binary));
  }
  return {};
}

StepResult<ValueList> EntryRow::finish(std::string_view dn) {
  ValueList row;
  row.push_back(value_of(dn, false));
  for (const auto& column : columns_.attributes) {
    const auto name = folded_name(column);
    auto& values = values_[name];
    if (!columns_.single.contains(name)) {
      row.emplace_back(std::move(values));
    } else if (values.size() > 1) {
      return step_fail("format", fmt::format("an entry has more than one {}, which is in `single`", column));
    } else {
      row.push_back(values.empty() ? Value() : values.front());
    }
  }
  return row;
}

}  // namespace sallyport::connectors::ldap
