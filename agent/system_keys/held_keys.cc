#include "agent/system_keys/held_keys.h"

#include "agent/platform/secret_file.h"
#include "shared/base/json.h"
#include "shared/crypto/hpke.h"
#include "shared/sealing/credentials.h"
#include "shared/sealing/limits.h"

#include <fmt/format.h>

#include <set>

namespace sallyport::agent {
namespace {

constexpr std::size_t kMostFile = sealing::kMostSystemKeys * sealing::kMostSealed * 3 / 2;

Value shape(const HeldKey& key) {
  return Value(ValueMap{{Value("name"), Value(key.name)},
                        {Value("group"), Value(key.group.value)},
                        {Value("version"), Value(static_cast<std::int64_t>(key.version))},
                        {Value("generation"), Value(static_cast<std::int64_t>(key.generation))},
                        {Value("sealed"), Value(base64url(key.sealed))}});
}

std::string text_in(const Value& value, std::string_view name) {
  const auto* found = value.find(name);
  return found != nullptr && found->is(Value::Kind::string) ? found->as_string() : "";
}

std::int64_t number_in(const Value& value, std::string_view name) {
  const auto* found = value.find(name);
  return found != nullptr && found->is(Value::Kind::int64) ? found->as_int() : 0;
}

Result<HeldKey> read_key(const Value& value) {
  SP_TRY(auto sealed, from_base64url(text_in(value, "sealed")));
  return HeldKey{text_in(value, "name"), GroupId(text_in(value, "group")),
                 static_cast<std::uint64_t>(number_in(value, "version")),
                 static_cast<sealing::Generation>(number_in(value, "generation")), std::move(sealed)};
}

bool fits(const HeldKey& key) {
  return sealing::is_key_name(key.name) && key.group.value.size() <= 64 && key.version > 0 &&
         key.version <= INT64_MAX && key.generation > 0 && key.sealed.size() > crypto::kHpkeOverhead &&
         key.sealed.size() <= sealing::kMostSealed;
}

Result<std::vector<HeldKey>> read_keys(const Secret& text) {
  SP_TRY(const auto root, parse_json(text.reveal(), {.max_bytes = kMostFile, .max_depth = 4}));
  const auto* list = root.find("keys");
  if (list == nullptr || !list->is(Value::Kind::list)) return fail(Errc::invalid, "it has no keys");
  std::vector<HeldKey> keys;
  for (const auto& one : list->as_list()) {
    SP_TRY(auto key, read_key(one));
    keys.push_back(std::move(key));
  }
  SP_CHECK(check_held(keys));
  return keys;
}

}  // namespace

Result<void> check_held(const std::vector<HeldKey>& keys) {
  if (keys.size() > sealing::kMostSystemKeys) return fail(Errc::invalid, "more system keys than there may be");
  std::set<std::string_view> names;
  for (const auto& key : keys) {
    if (!fits(key)) return fail(Errc::invalid, "a system key that is none");
    if (!names.insert(key.name).second) return fail(Errc::invalid, "two system keys of one name");
  }
  return {};
}

Result<std::vector<HeldKey>> load_held(const std::string& path) {
  auto text = platform::read_secret_file(path, kMostFile);
  if (!text && text.error().code == Errc::not_found) return std::vector<HeldKey>{};
  if (!text) return std::unexpected(std::move(text).error());
  auto keys = read_keys(*text);
  if (keys) return keys;
  return fail(Errc::invalid, fmt::format("{} is damaged ({}): remove it; the relay brings its content again", path,
                                         keys.error().message));
}

Result<void> save_held(const std::string& path, const std::vector<HeldKey>& keys) {
  ValueList list;
  for (const auto& key : keys) list.push_back(shape(key));
  const Value root(ValueMap{{Value("format"), Value(1)}, {Value("keys"), Value(std::move(list))}});
  return platform::write_secret_file(path, to_json(root));
}

}  // namespace sallyport::agent
