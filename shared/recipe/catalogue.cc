#include "shared/recipe/catalogue.h"

#include "shared/recipe/catalogue_tables.h"

#include <algorithm>

namespace sallyport::recipe {
namespace {

using namespace std::string_view_literals;

struct TypeWord {
  Types type;
  std::string_view words;
};
constexpr std::array kTypeWords{TypeWord{Types::text, "text"},
                                TypeWord{Types::bytes, "bytes"},
                                TypeWord{Types::integer, "an integer"},
                                TypeWord{Types::number, "a number"},
                                TypeWord{Types::boolean, "true or false"},
                                TypeWord{Types::duration, "a duration"},
                                TypeWord{Types::list, "a list"},
                                TypeWord{Types::map, "a mapping"},
                                TypeWord{Types::body, "a body"},
                                TypeWord{Types::rows, "rows"},
                                TypeWord{Types::any, "any value"}};

constexpr std::array kErrorClasses{"connection"sv, "timeout"sv,    "cancelled"sv,   "policy"sv,     "invalid"sv,
                                   "not_found"sv,  "constraint"sv, "transaction"sv, "permission"sv, "too_large"sv,
                                   "changed"sv,    "disk_full"sv,  "command"sv,     "format"sv,     "internal"sv};

std::vector<ActionInfo> all_actions() {
  std::vector<ActionInfo> all;
  for (auto family : {tables::sql(), tables::file(), tables::http(), tables::csv(), tables::json(), tables::xml(),
                      tables::fixed(), tables::archive(), tables::ldap(), tables::mail(), tables::ssh(), tables::ftps(),
                      tables::smb(), tables::brokers(), tables::local()}) {
    all.insert(all.end(), family.begin(), family.end());
  }
  return all;
}

std::vector<TriggerInfo> all_triggers() {
  std::vector<TriggerInfo> all;
  for (auto family : {tables::local_triggers(), tables::sql_triggers(), tables::ssh_triggers(), tables::ftps_triggers(),
                      tables::smb_triggers(), tables::broker_triggers(), tables::listen_triggers()}) {
    all.insert(all.end(), family.begin(), family.end());
  }
  return all;
}

bool any_takes_secrets(std::span<const Field> fields) {
  return std::ranges::any_of(fields, [](const Field& field) {
    return has(field.traits, Traits::accepts_secret) || any_takes_secrets(field.inside);
  });
}

}  // namespace

std::string to_string(Types types) {
  std::string out;
  for (const auto& [type, words] : kTypeWords) {
    if (!has(types, type)) continue;
    if (!out.empty()) out += " or ";
    out += words;
  }
  return out;
}

std::span<const TriggerInfo> triggers() {
  static const auto kAll = all_triggers();
  return kAll;
}

std::span<const ActionInfo> actions() {
  static const auto kAll = all_actions();
  return kAll;
}

const TriggerInfo* find_trigger(std::string_view name) {
  const auto it = std::ranges::find(triggers(), name, &TriggerInfo::name);
  return it == triggers().end() ? nullptr : &*it;
}

const ActionInfo* find_action(std::string_view name) {
  const auto it = std::ranges::find(actions(), name, &ActionInfo::name);
  return it == actions().end() ? nullptr : &*it;
}

bool needs_no_worker(std::string_view action) { return action == "wait.for@1" || action == "log.write@1"; }

bool takes_secrets(const ActionInfo& action) { return any_takes_secrets(action.fields); }

std::span<const std::string_view> error_classes() { return kErrorClasses; }

}  // namespace sallyport::recipe
