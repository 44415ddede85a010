#include "agent/policy/sql_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>

namespace sallyport::policy {
namespace {

using enum SqlVerb;

constexpr SqlVerbs set_of(std::initializer_list<SqlVerb> verbs) {
  SqlVerbs set = 0;
  for (auto verb : verbs) set = with(set, verb);
  return set;
}

struct Meaning {
  std::string_view word;
  SqlVerbs verbs;
};

constexpr std::array kLeading{
    Meaning{"select", set_of({select})}, Meaning{"values", set_of({select})},
    Meaning{"table", set_of({select})},  Meaning{"insert", set_of({insert})},
    Meaning{"update", set_of({update})}, Meaning{"delete", set_of({remove})},
    Meaning{"merge", set_of({merge})},   Meaning{"replace", set_of({insert, update, remove})},
    Meaning{"create", set_of({ddl})},    Meaning{"alter", set_of({ddl})},
    Meaning{"drop", set_of({ddl})},      Meaning{"truncate", set_of({ddl})},
    Meaning{"comment", set_of({ddl})},   Meaning{"reindex", set_of({ddl})},
    Meaning{"call", set_of({call})},     Meaning{"with", 0},
};

// Words that stand for themselves wherever they are: parts of a CTE, upserts, locking reads.
constexpr std::array kAnywhere{Meaning{"select", set_of({select})}, Meaning{"insert", set_of({insert})},
                               Meaning{"update", set_of({update})}, Meaning{"delete", set_of({remove})},
                               Meaning{"merge", set_of({merge})}};

constexpr std::array kNames{
    std::pair{select, std::string_view("select")}, std::pair{insert, std::string_view("insert")},
    std::pair{update, std::string_view("update")}, std::pair{remove, std::string_view("delete")},
    std::pair{merge, std::string_view("merge")},   std::pair{ddl, std::string_view("ddl")},
    std::pair{call, std::string_view("call")}};

bool is_symbol(const SqlToken& token, std::string_view text) {
  return token.kind == SqlToken::Kind::symbol && token.text == text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

std::optional<SqlVerbs> find_in(std::span<const Meaning> table, std::string_view word) {
  const auto it = std::ranges::find(table, word, &Meaning::word);
  return it == table.end() ? std::nullopt : std::optional(it->verbs);
}

// A name behind a dot (`t.update`) is never a keyword.
SqlVerbs all_verbs(std::span<const SqlToken> tokens, SqlVerbs leading) {
  SqlVerbs verbs = leading;
  bool creates = false, replaces = false;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].kind != SqlToken::Kind::word || (i > 0 && is_symbol(tokens[i - 1], "."))) continue;
    const auto word = lower(tokens[i].text);
    verbs |= find_in(kAnywhere, word).value_or(0);
    creates = creates || word == "into";
    replaces = replaces || (word == "replace" && i > 0 && lower(tokens[i - 1].text) == "or");
  }
  if (replaces) verbs |= set_of({insert, update, remove});
  if (creates && !has(verbs, insert) && !has(verbs, merge)) verbs = with(verbs, ddl);  // select ... into a new table
  return verbs;
}

}  // namespace

std::string_view to_string(SqlVerb verb) {
  return std::ranges::find(kNames, verb, &std::pair<SqlVerb, std::string_view>::first)->second;
}

std::string to_string(SqlVerbs verbs) {
  std::string text;
  for (const auto& [verb, name] : kNames) {
    if (has(verbs, verb)) text.append(text.empty() ? "" : ", ").append(name);
  }
  return text.empty() ? "nothing" : text;
}

Result<SqlVerbs> verbs_of(const std::vector<SqlToken>& tokens) {
  auto end = tokens.size();
  while (end > 0 && is_symbol(tokens[end - 1], ";")) --end;
  const std::span<const SqlToken> statement(tokens.data(), end);
  if (std::ranges::any_of(statement, [](const SqlToken& token) { return is_symbol(token, ";"); })) {
    return fail(Errc::invalid, "more than one statement in one text; give each its own step, or use sql.transaction");
  }
  const auto first = std::ranges::find_if_not(statement, [](const SqlToken& token) { return is_symbol(token, "("); });
  if (first == statement.end() || first->kind != SqlToken::Kind::word)
    return fail(Errc::invalid, "the statement does not begin with a keyword");
  const auto word = lower(first->text);
  const auto leading = find_in(kLeading, word);
  if (!leading)
    return fail(Errc::invalid, fmt::format("a statement that begins with {} is never allowed", word.substr(0, 32)));
  if (has(*leading, ddl)) return *leading;
  const auto verbs = all_verbs(statement, *leading);
  if (verbs == 0) return fail(Errc::invalid, "the statement has no verb after WITH");
  return verbs;
}

}  // namespace sallyport::policy
