#include "relay/cli/output.h"

#include "shared/base/json.h"
#include "shared/base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::cli {
namespace {

const Value* member_of(const Value& row, std::string_view path) {
  const Value* at = &row;
  while (at != nullptr && !path.empty()) {
    const auto dot = path.find('.');
    at = at->find(path.substr(0, dot));
    path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  }
  return at;
}

bool is_plain_yaml(std::string_view text) {
  static constexpr std::string_view kWords[] = {"true", "false", "null", "yes", "no", "on", "off", "~"};
  if (text.empty() || std::ranges::find(kWords, text) != std::end(kWords)) return false;
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return is_letter(text.front()) && std::ranges::all_of(text, [&](char c) {
           return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '/' || c == '@';
         });
}

std::string yaml_scalar(const Value& value) {
  if (value.is(Value::Kind::string) && is_plain_yaml(value.as_string())) return value.as_string();
  return to_json(value);
}

void append_yaml(std::string& out, const Value& value, int indent);

void append_entry(std::string& out, const Value& value, int indent) {
  const bool nested = (value.is(Value::Kind::map) && !value.as_map().empty()) ||
                      (value.is(Value::Kind::list) && !value.as_list().empty());
  if (!nested) {
    out += ' ' + yaml_scalar(value) + '\n';
    return;
  }
  out += '\n';
  append_yaml(out, value, indent + 2);
}

void append_yaml(std::string& out, const Value& value, int indent) {
  const std::string pad(static_cast<std::size_t>(indent), ' ');
  if (value.is(Value::Kind::map) && !value.as_map().empty()) {
    for (const auto& [key, entry] : value.as_map()) {
      out += pad + yaml_scalar(key) + ':';
      append_entry(out, entry, indent);
    }
  } else if (value.is(Value::Kind::list) && !value.as_list().empty()) {
    for (const auto& element : value.as_list()) {
      out += pad + '-';
      append_entry(out, element, indent);
    }
  } else {
    out += pad + yaml_scalar(value) + '\n';
  }
}

constexpr char32_t kBroken = 0xFFFF'FFFF;  // a byte that is no part of valid UTF-8

struct Character {
  char32_t code;
  std::size_t size;  // bytes
};

Character first_of(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead < 0x80) return {lead, 1};
  const std::size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (text.size() < size || !is_valid_utf8(text.substr(0, size))) return {kBroken, 1};
  char32_t code = lead & (0xFFu >> (size + 1));
  for (const char next : text.substr(1, size - 1)) code = code << 6 | (static_cast<unsigned char>(next) & 0x3Fu);
  return {code, size};
}

// Controls, C1 ones too (U+009B is a terminal's CSI), overrides and isolates of the direction of writing, and bytes
// that a terminal which does not read UTF-8 could take for controls.
bool is_steering(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code <= 0x9F) || (code >= 0x202A && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069) || code == kBroken;
}

std::string in_two(unsigned code) { return fmt::format("\\x{:02x}", code); }
std::string in_four(unsigned code) { return fmt::format("\\u{:04x}", code); }

// `byte_form` is for what is one byte.
std::string escaped(std::string_view text, bool (*is_escaped)(char32_t), std::string (*byte_form)(unsigned)) {
  std::string out;
  while (!text.empty()) {
    const auto [code, size] = first_of(text);
    if (!is_escaped(code)) {
      out += text.substr(0, size);
    } else if (size == 1) {
      out += byte_form(static_cast<unsigned char>(text.front()));
    } else {
      out += in_four(static_cast<unsigned>(code));
    }
    text.remove_prefix(size);
  }
  return out;
}

}  // namespace

Result<Format> parse_format(std::string_view text) {
  if (text.empty() || text == "table") return Format::table;
  if (text == "json") return Format::json;
  if (text == "yaml") return Format::yaml;
  return fail(Errc::invalid, fmt::format("-o {}: table, json and yaml are known", text));
}

std::string terminal_safe(std::string_view text) { return escaped(text, is_steering, in_two); }

std::string terminal_safe_lines(std::string_view text) {
  return escaped(text, [](char32_t code) { return code != U'\n' && code != U'\t' && is_steering(code); }, in_two);
}

std::string terminal_safe_json(std::string_view json) {
  return escaped(json, [](char32_t code) { return code >= 0x7F && code != kBroken && is_steering(code); }, in_four);
}

std::string cell_of(const Value* value) {
  if (value == nullptr || value->is_null()) return "-";
  if (value->is(Value::Kind::string)) return terminal_safe(value->as_string());
  const auto is_text = [](const Value& one) { return one.is(Value::Kind::string); };
  if (!value->is(Value::Kind::list) || !std::ranges::all_of(value->as_list(), is_text))
    return terminal_safe(to_json(*value));
  std::string listed;
  for (const auto& one : value->as_list()) listed += (listed.empty() ? "" : ", ") + one.as_string();
  return listed.empty() ? "-" : terminal_safe(listed);
}

std::string table_of(const ValueList& rows, const std::vector<Column>& columns) {
  std::vector<std::vector<std::string>> cells(1);
  for (const auto& column : columns) cells[0].emplace_back(column.title);
  for (const auto& row : rows) {
    auto& line = cells.emplace_back();
    for (const auto& column : columns) line.push_back(cell_of(member_of(row, column.member)));
  }
  std::vector<std::size_t> widths(columns.size(), 0);
  for (const auto& line : cells) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], utf8_length(line[i]));
  }
  std::string out;
  for (const auto& line : cells) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      out += line[i];
      if (i + 1 < line.size()) out.append(widths[i] - utf8_length(line[i]) + 2, ' ');
    }
    out += '\n';
  }
  return out;
}

std::string card_of(const Value& map, const std::vector<Column>& columns) {
  std::size_t width = 0;
  for (const auto& column : columns) width = std::max(width, column.title.size());
  std::string out;
  for (const auto& column : columns) {
    out += fmt::format("{:<{}}  {}\n", column.title, width, cell_of(member_of(map, column.member)));
  }
  return out;
}

std::string yaml_of(const Value& value) {
  std::string out;
  append_yaml(out, value, 0);
  return out;
}

}  // namespace sallyport::cli
