#pragma once

#include "shared/base/result.h"
#include "shared/base/secret.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::sealing {

// The values of one system key by their names: "password", "user", "token".
using Credentials = std::map<std::string, Secret, std::less<>>;

// 1 to 64 lower-case letters, digits and inner hyphens, beginning with a letter: system keys and their values.
bool is_key_name(std::string_view name);

// What is sealed: number of values (1), then of each, in the order of names: length (1) ‖ name ‖ length (2) ‖ value;
// then zeros up to a multiple of kPadding, so that the length tells little.
// Errc::invalid: no value, a name that is none, a value that is empty or no UTF-8. Errc::too_large: see limits.h.
Result<Secret> format_credentials(const Credentials& credentials);
// Errc::invalid: anything that format_credentials would not have written. No message contains a value.
Result<Credentials> parse_credentials(const Secret& plaintext);

// What people write: a JSON object of texts, within the same limits.
Result<Credentials> read_json_credentials(const Secret& json);

std::vector<std::string> names_of(const Credentials& credentials);

}  // namespace sallyport::sealing
