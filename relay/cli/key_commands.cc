#include "relay/cli/commands.h"
#include "relay/cli/requests.h"
#include "shared/base/json.h"

#include <fmt/format.h>

#include <string>

namespace sallyport::cli {
namespace {

const std::vector<Column> kVersionColumns{{"VERSION", "version"}, {"CREATED", "created_at"}};
const std::vector<Column> kLaneColumns{{"CLASS", "class"},
                                       {"RETENTION (H)", "retention_hours"},
                                       {"HOURS WITH A KEY", "keys"},
                                       {"OLDEST", "oldest_hour"},
                                       {"SHREDDED BEFORE", "shredded_before"}};
const std::vector<Column> kPlatformColumns{
    {"MASTER KEY", "provider"}, {"SHREDDINGS", "shreddings"}, {"ORGANISATIONS TO REWRAP", "organisations_to_rewrap"}};

ValueList rows_of(const Value& keys, std::string_view member) {
  const Value* rows = keys.find(member);
  return rows != nullptr && rows->is(Value::Kind::list) ? rows->as_list() : ValueList();
}

std::string organisation_text(const Value& keys) {
  const auto versions = rows_of(keys, "versions");
  if (versions.empty()) return "nothing of this organisation was sealed yet: it has no key\n";
  return table_of(versions, kVersionColumns) + "\n" + table_of(rows_of(keys, "lanes"), kLaneColumns);
}

std::string platform_text(const Value& keys) {
  return card_of(keys, kPlatformColumns) + "\n" + table_of(rows_of(keys, "versions"), kVersionColumns);
}

using TextOf = std::string (*)(const Value&);

auto showing_keys(std::string path, TextOf text) {
  return [path = std::move(path), text](Context& context, const Arguments&) {
    return with_client(context, [&](Client& client) -> Result<void> {
      SP_TRY(const auto keys, client.get(path));
      context.show(keys, text(keys));
      return {};
    });
  };
}

auto rotating(std::string path, TextOf text) {
  return [path = std::move(path), text](Context& context, const Arguments&) {
    return with_client(context, [&](Client& client) -> Result<void> {
      SP_TRY(const auto keys, client.post(path, Value(ValueMap())));
      context.show(keys, text(keys));
      return {};
    });
  };
}

}  // namespace

std::vector<Command> key_commands() {
  return {
      {"keys",
       "receipt",
       {},
       {},
       "a signed receipt of what was destroyed because its time was over, as JSON",
       showing_keys("/v1/keys/receipt", [](const Value& receipt) { return to_pretty_json(receipt) + "\n"; })},
      {"keys",
       "show",
       {},
       {},
       "versions and hours of the organisation's keys, never a key",
       showing_keys("/v1/keys", organisation_text)},
      {"keys",
       "rotate",
       {},
       {},
       "make a new version of the organisation's master key",
       rotating("/v1/keys/rotate", organisation_text)},
      {"keys",
       "platform show",
       {},
       {},
       "where the master key is, and versions of the global key (platform admin)",
       showing_keys("/v1/platform/keys", platform_text)},
      {"keys",
       "platform rotate",
       {},
       {},
       "make a new version of the global key (platform admin)",
       rotating("/v1/platform/keys/rotate", platform_text)},
  };
}

}  // namespace sallyport::cli
