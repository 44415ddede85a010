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

}  // namespace

Result<Format> parse_format(std::string_view text) {
  if (text.empty() || text == "table") return Format::table;
  if (text == "json") return Format::json;
  if (text == "yaml") return Format::yaml;
  return fail(Errc::invalid, fmt::format("-o {}: table, json and yaml are known", text));
}

std::string terminal_safe(std::string_view text) {
  std::string out;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

std::string cell_of(const Value* value) {
  if (value == nullptr || value->is_null()) return "-";
  return terminal_safe(value->is(Value::Kind::string) ? value->as_string() : to_json(*value));
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
