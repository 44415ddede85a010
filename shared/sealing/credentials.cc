#include "shared/sealing/credentials.h"

#include "shared/base/json.h"
#include "shared/sealing/limits.h"
#include "shared/sealing/octets.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::sealing {
namespace {

constexpr std::size_t kMostName = 64;

Result<void> check(std::string_view name, std::string_view value) {
  if (!is_key_name(name)) {
    return fail(Errc::invalid,
                fmt::format("a value's name is 1 to {} lower-case letters, digits and hyphens", kMostName));
  }
  if (value.empty()) return fail(Errc::invalid, fmt::format("the value \"{}\" is empty", name));
  if (value.size() > kMostValue)
    return fail(Errc::too_large, fmt::format("the value \"{}\" has more than {} bytes", name, kMostValue));
  if (!is_valid_utf8(value)) return fail(Errc::invalid, fmt::format("the value \"{}\" is not UTF-8", name));
  return {};
}

std::size_t size_of(const Credentials& credentials) {
  std::size_t size = 1;
  for (const auto& [name, value] : credentials) size += 3 + name.size() + value.size();
  return (size + kPadding - 1) / kPadding * kPadding;
}

Result<void> check(const Credentials& credentials) {
  if (credentials.empty()) return fail(Errc::invalid, "a system key needs at least one value");
  if (credentials.size() > kMostValues)
    return fail(Errc::too_large, fmt::format("a system key has at most {} values", kMostValues));
  for (const auto& [name, value] : credentials) SP_CHECK(check(name, value.reveal()));
  if (size_of(credentials) > kMostCredentials) {
    return fail(Errc::too_large,
                fmt::format("the values of a system key have at most {} bytes together", kMostCredentials));
  }
  return {};
}

std::unexpected<Error> broken() { return fail(Errc::invalid, "not the values of a system key"); }

Result<Credentials> take_values(OctetReader& reader) {
  Credentials credentials;
  SP_TRY(const auto count, reader.number<1>());
  for (std::uint64_t i = 0; i < count; ++i) {
    SP_TRY(const auto name_length, reader.number<1>());
    SP_TRY(const auto name, reader.take(name_length));
    SP_TRY(const auto value, reader.framed());
    if (!credentials.empty() && credentials.rbegin()->first >= as_text(name)) return broken();
    credentials.emplace(as_text(name), Secret::take(std::string(as_text(value))));
  }
  return credentials;
}

}  // namespace

bool is_key_name(std::string_view name) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !name.empty() && name.size() <= kMostName && name[0] >= 'a' && name[0] <= 'z' && name.back() != '-' &&
         std::ranges::all_of(name, fits);
}

Result<Secret> format_credentials(const Credentials& credentials) {
  SP_CHECK(check(credentials));
  std::string text;
  text.reserve(size_of(credentials));  // so that no copy of a value stays behind where it was too short
  const auto put = [&text](std::size_t byte) { text.push_back(static_cast<char>(byte)); };
  put(credentials.size());
  for (const auto& [name, value] : credentials) {
    put(name.size());
    text += name;
    put(value.size() >> 8);
    put(value.size() & 0xff);
    text += value.reveal();
  }
  text.resize(size_of(credentials));
  return Secret::take(text);
}

Result<Credentials> parse_credentials(const Secret& plaintext) {
  if (plaintext.size() > kMostCredentials) return broken();
  OctetReader reader(as_bytes(plaintext.reveal()));
  auto credentials = take_values(reader);
  if (!credentials) return broken();
  const auto again = format_credentials(*credentials);
  if (!again || again->reveal() != plaintext.reveal()) return broken();
  return credentials;
}

Result<Credentials> read_json_credentials(const Secret& json) {
  const auto parsed = parse_json(json.reveal(), {.max_bytes = 4 * kMostCredentials, .max_depth = 2});
  if (!parsed || !parsed->is(Value::Kind::map)) return fail(Errc::invalid, "not a JSON object of texts");
  Credentials credentials;
  for (const auto& [name, value] : parsed->as_map()) {
    if (!value.is(Value::Kind::string)) return fail(Errc::invalid, "not a JSON object of texts");
    credentials.emplace(name.as_string(), Secret::take(std::string(value.as_string())));
  }
  SP_CHECK(check(credentials));
  return credentials;
}

std::vector<std::string> names_of(const Credentials& credentials) {
  std::vector<std::string> names;
  for (const auto& [name, value] : credentials) names.push_back(name);
  return names;
}

}  // namespace sallyport::sealing
