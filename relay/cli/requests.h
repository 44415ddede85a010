#pragma once

#include "relay/cli/context.h"
#include "shared/base/secret.h"

#include <functional>
#include <string>
#include <vector>

namespace sallyport::cli {

// What most commands are: log in, ask, print. Gives the exit code.
int with_client(Context& context, const std::function<Result<void>(Client&)>& use);

// Every item of a paged list, as {"items": [...], "next": null}.
Result<Value> list_all(Client& client, const std::string& path);
struct Part {
  std::size_t most = 0;  // items; 0: all
  std::string cursor;    // where to begin; empty: at the first
};
// The same of a part of it; "next" is the cursor of what follows, or null.
Result<Value> list_some(Client& client, const std::string& path, Part part);
// What --limit and --cursor ask for; kMostListed items without a --limit.
inline constexpr std::int64_t kMostListed = 50;
Part part_of(const Arguments& arguments);
// Tells people where a list was cut; programs have its `next`.
void tell_more(const Context& context, const Value& list);

// Where the names are of the things that `member` holds ids of.
struct NameSource {
  std::string_view member;          // "recipe"; gets a "recipe_name" beside it
  std::string_view path;            // "/v1/recipes"
  std::string_view shown = "name";  // "email"
};
// Puts names beside ids in every row. What is in no list any more (a deleted recipe) is asked for by its id, up to
// kMostAskedFor of each kind; where the login may not read the name, the id stands in.
inline constexpr std::size_t kMostAskedFor = 50;
void add_names(Client& client, ValueList& rows, const std::vector<NameSource>& sources);
Value with_names(Client& client, Value one, const std::vector<NameSource>& sources);

// A command that prints a paged list.
std::function<int(Context&, const Arguments&)> listing(std::string path, std::vector<Column> columns,
                                                       std::vector<NameSource> names = {});
// A command that prints what one path gives; {} in it is the first positional argument, escaped.
std::function<int(Context&, const Arguments&)> showing(std::string path, std::vector<Column> columns);

// `path` with {} replaced by the escaped word.
std::string fill(std::string_view path, std::string_view word);

// "dc1" or "grp_01...": the id of a named thing, looked up in a list when it is a name (or whatever `name_member` is).
// not_found says what to do.
Result<std::string> id_of(Client& client, std::string_view noun, std::string_view prefix, const std::string& list_path,
                          std::string_view name_or_id, std::string_view name_member = "name");

// What things are called in errors, and the command that lists them: "archive list". "": no command lists it.
std::string_view listing_of(std::string_view noun);
std::vector<std::string_view> listed_nouns();

// The id of a thing that has no name. not_found when the word is no such id.
Result<std::string> checked_id(std::string_view noun, std::string_view prefix, std::string_view word);
// Says which thing is absent, and where to see those there are; other errors as they are.
Error about(Error error, std::string_view noun, std::string_view word);
template <class T>
Result<T> about(Result<T> answer, std::string_view noun, std::string_view word) {
  if (!answer) return std::unexpected(about(std::move(answer).error(), noun, word));
  return answer;
}
// For a call that names two things: whether `error` says that one is absent, and what its path names is not the one.
bool is_other_absent(Client& client, const Error& error, std::string path);

// Prints what is told once and kept nowhere. When that fails, the error says that `what` ("API token tok_...") exists
// all the same, and the command that ends it.
struct ToldOnce {
  std::string what;
  std::string undo;  // "sallyport token revoke tok_..."
};
Result<void> show_once(const Context& context, const Value& made, std::string_view text, const ToldOnce& secret);

// The object `order` with one more member that is a secret: in a text that was never moved, so that
// whoever sends it wipes the only copy.
std::string with_secret(const Value& order, std::string_view member, const Secret& secret);

std::string text_of(const Value& map, std::string_view member);

}  // namespace sallyport::cli
