#pragma once

#include "relay/app/init.h"
#include "relay/app/owner_token.h"
#include "relay/app/root_command.h"

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// The words behind `sallyport-relay init`, `token`, `root` and `serve`. No IO.
namespace sallyport::app {

using Options = std::map<std::string, std::string, std::less<>>;

// "--name value" and "--name=value". An error names the word and the nearest right one.
Result<Options> parse_options(const std::vector<std::string>& words, std::span<const std::string_view> known);

std::string get(const Options& options, std::string_view name, std::string_view otherwise = "");

std::span<const std::string_view> init_option_names();
// What `init` was asked for, with its defaults; check() says whether it can be done.
Result<InitOrder> init_order(const Options& options);

// `root show|prepare|switch|retire --data DIR [--force]`; the words after "root".
Result<RootOrder> root_order(const std::vector<std::string>& words);

std::span<const std::string_view> token_option_names();
Result<TokenOrder> token_order(const Options& options);

}  // namespace sallyport::app
