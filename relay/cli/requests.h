#pragma once

#include "relay/cli/context.h"

#include <functional>
#include <string>
#include <vector>

namespace sallyport::cli {

// What most commands are: log in, ask, print. Gives the exit code.
int with_client(Context& context, const std::function<Result<void>(Client&)>& use);

// Every item of a paged list, at most `most` (0: all), as {"items": [...]}.
Result<Value> list_all(Client& client, const std::string& path, std::size_t most = 0);

// A command that prints a paged list.
std::function<int(Context&, const Arguments&)> listing(std::string path, std::vector<Column> columns);
// A command that prints what one path gives; {} in it is the first positional argument, escaped.
std::function<int(Context&, const Arguments&)> showing(std::string path, std::vector<Column> columns);

// `path` with {} replaced by the escaped word.
std::string fill(std::string_view path, std::string_view word);

// "dc1" or "grp_01...": the id of a named thing, looked up in a list when it is a name. not_found says what to do.
Result<std::string> id_of(Client& client, std::string_view noun, std::string_view prefix, const std::string& list_path,
                          std::string_view name_or_id);

std::string text_of(const Value& map, std::string_view member);

}  // namespace sallyport::cli
