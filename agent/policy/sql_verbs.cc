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

// Finds the verbs word by word. A name behind a dot (`t.update`) is never a keyword; any other word that looks like a
// verb counts as one, also where it is a name.
class VerbFinder {
 public:
  VerbFinder(std::span<const SqlToken> tokens, SqlVerbs leading) : tokens_(tokens), leading_(leading) {}

  SqlVerbs run() {
    auto verbs = leading_;
    for (at_ = 0; at_ < tokens_.size(); ++at_) verbs |= verbs_here();
    return verbs;
  }

 private:
  SqlVerbs verbs_here() {
    const auto& token = tokens_[at_];
    if (is_symbol(token, "(")) selects_.push_back(false);
    if (is_symbol(token, ")") && selects_.size() > 1) selects_.pop_back();
    if (token.kind != SqlToken::Kind::word || (at_ > 0 && is_symbol(tokens_[at_ - 1], "."))) return 0;
    const auto word = lower(token.text);
    if (word == "select") selects_.back() = true;
    if (word == "table") return reads_table() ? set_of({select}) : 0;
    if (word == "replace") return replaces() ? set_of({insert, update, remove}) : 0;
    // `select ... into` makes a table; in every other statement INTO comes before a SELECT of the same brackets.
    if (word == "into") return selects_.back() ? set_of({ddl}) : 0;
    if (is_reference_action(word)) return 0;
    return find_in(kAnywhere, word).value_or(0);
  }

  std::string neighbour(std::size_t at) const {
    using enum SqlToken::Kind;
    if (at >= tokens_.size() || (tokens_[at].kind != word && tokens_[at].kind != symbol)) return {};
    return lower(tokens_[at].text);
  }
  std::string before() const { return at_ == 0 ? "" : neighbour(at_ - 1); }

  // `table x` stands for `select * from x`; in ddl the word mostly says what is made.
  bool reads_table() const {
    constexpr std::array kBefore{"as", "(", ")", "union", "intersect", "except", "all", "distinct"};
    return !has(leading_, ddl) || std::ranges::find(kBefore, before()) != kBefore.end();
  }
  // Not the function `replace(...)`, nor `create or replace view`.
  bool replaces() const {
    const auto next = neighbour(at_ + 1);
    return next == "into" || (before() == "or" && next != "(" && !has(leading_, ddl));
  }
  // `references t on delete cascade`
  bool is_reference_action(const std::string& word) const {
    return has(leading_, ddl) && before() == "on" && (word == "delete" || word == "update");
  }

  std::span<const SqlToken> tokens_;
  SqlVerbs leading_;
  std::size_t at_ = 0;
  std::vector<bool> selects_{false};  // for each open bracket: has there been a SELECT directly in it
};

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
  const auto verbs = VerbFinder(statement, *leading).run();
  if (verbs == 0) return fail(Errc::invalid, "the statement has no verb after WITH");
  return verbs;
}

}  // namespace sallyport::policy
