#include "relay/cli/commands.h"
#include "relay/cli/requests.h"
#include "shared/base/json.h"
#include "shared/base/secret.h"

#include <fmt/format.h>

#include <array>
#include <string>

namespace sallyport::cli {
namespace {

const std::vector<Column> kVersionColumns{{"VERSION", "version"}, {"CREATED", "created_at"}};
const std::vector<Column> kLaneColumns{{"CLASS", "class"},
                                       {"RETENTION (H)", "retention_hours"},
                                       {"HOURS WITH A KEY", "keys"},
                                       {"OLDEST", "oldest_hour"},
                                       {"SHREDDED BEFORE", "shredded_before"}};
const std::vector<Column> kOrganisationColumns{{"STATE", "state"}, {"RECORDS TO RESEAL", "records_to_reseal"}};
const std::vector<Column> kPlatformColumns{{"MASTER KEY", "provider"},
                                           {"STATE", "state"},
                                           {"SHREDDINGS", "shreddings"},
                                           {"VERSIONS TO REWRAP", "versions_to_rewrap"},
                                           {"ORGANISATIONS TO RESEAL", "organisations_to_reseal"}};

ValueList rows_of(const Value& keys, std::string_view member) {
  const Value* rows = keys.find(member);
  return rows != nullptr && rows->is(Value::Kind::list) ? rows->as_list() : ValueList();
}

const std::vector<Column> kOwnColumns{
    {"OWN KEY", "kind"}, {"ATTACHED", "attached_at"}, {"STATE", "state"}, {"SINCE", "refused_since"}};

constexpr std::string_view kPlace = "place.";
const std::vector<Column> kPlaceColumns{
    {"REGION", "place.region"}, {"ENDPOINT", "place.endpoint"},   {"ADDRESS", "place.address"},
    {"MOUNT", "place.mount"},   {"NAMESPACE", "place.namespace"}, {"KEY", "place.key"},
    {"NAME", "place.name"}};

// Kind, state, and what names the key.
std::string own_text(const Value& keys) {
  const auto* own = keys.find("own");
  if (own == nullptr || own->is_null()) return "";
  auto columns = kOwnColumns;
  if (const auto* reason = own->find("reason"); reason != nullptr && !reason->is_null())  // is told to owners
    columns.push_back({"REASON", "reason"});
  const auto* place = own->find("place");
  for (const auto& column : kPlaceColumns) {
    if (place != nullptr && place->find(column.member.substr(kPlace.size())) != nullptr) columns.push_back(column);
  }
  return "\n" + card_of(*own, columns);
}

// STATE, and REASON when it is not in use.
std::string card_with_reason(const Value& keys, std::vector<Column> columns) {
  if (text_of(keys, "state") == "unavailable") columns.push_back({"REASON", "reason"});
  return card_of(keys, columns);
}

std::string organisation_text(const Value& keys) {
  const auto versions = rows_of(keys, "versions");
  if (versions.empty() && text_of(keys, "state") != "unavailable")
    return "this organisation has no key now: it is made when something of it is sealed\n" + own_text(keys);
  return table_of(versions, kVersionColumns) + "\n" + table_of(rows_of(keys, "lanes"), kLaneColumns) + "\n" +
         card_with_reason(keys, kOrganisationColumns) + own_text(keys);
}

std::string platform_text(const Value& keys) {
  return card_with_reason(keys, kPlatformColumns) + "\n" + table_of(rows_of(keys, "versions"), kVersionColumns);
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

constexpr std::string_view kOwn = "/v1/keys/own";
constexpr std::size_t kMostCredentials = 12'000;
constexpr std::array<std::string_view, 7> kPlaceOptions{"region", "key",       "endpoint", "address",
                                                        "mount",  "namespace", "name"};

Result<Value> put_order(Context& context, Client& client, const Arguments& arguments, const Value& order) {
  if (!arguments.has("credentials")) return client.put(std::string(kOwn), order);
  SP_TRY(auto text, read_input(context, arguments.get("credentials"), kMostCredentials));
  return client.json({.method = "PUT",
                      .path = std::string(kOwn),
                      .content_type = "application/json",
                      .body = with_secret(order, "credentials", Secret::take(text)),
                      .headers = {}});
}

int attach(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    ValueMap body{{Value("kind"), Value(arguments.positional(0))}};
    for (const auto name : kPlaceOptions) {
      if (arguments.has(name)) body.emplace(Value(name), Value(arguments.get(name)));
    }
    SP_TRY(const auto keys, put_order(context, client, arguments, Value(std::move(body))));
    context.show(keys, organisation_text(keys));
    return {};
  });
}

int detach(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    const std::string give_up = arguments.has("give-up") ? "&give_up=confirmed" : "";
    auto keys = client.remove(std::string(kOwn) + "?confirm=confirmed" + give_up);
    if (!keys && keys.error().code == Errc::not_found)
      return fail(Errc::not_found, "the organisation has attached no key of its own: there is nothing to detach");
    SP_CHECK(keys);
    context.show(*keys, organisation_text(*keys));
    return {};
  });
}

Command attach_command() {
  return {"keys",
          "attach",
          {"aws_kms|vault|pkcs11|file"},
          {{"region", "REGION", "of AWS KMS, such as eu-central-1"},
           {"key", "KEY", "its id, ARN or alias in AWS KMS, or its name in Vault"},
           {"endpoint", "ADDRESS", "of AWS KMS, when it is not the region's own"},
           {"address", "ADDRESS", "of Vault: https://host[:port]"},
           {"mount", "PATH", "of Vault's Transit engine (transit)"},
           {"namespace", "PATH", "of Vault Enterprise"},
           {"name", "NAME", "what the relay's operator calls the token's key or the file"},
           {"credentials", "FILE", "as the AWS CLI writes it, or Vault's token; - is standard input"}},
          "protect the organisation's keys with a key of its own (owner)",
          attach,
          {},
          "The key is proven first; when it cannot be used, nothing changes. While it is revoked nothing\n"
          "of the organisation is read or written. When it is gone for good, so is all that it protects."};
}

Command detach_command() {
  return {"keys",
          "detach",
          {},
          {{"confirm", "", "yes, from then on the relay's operator alone can read it", Need::required},
           {"give-up", "", "the key is gone: all that is sealed under it becomes unreadable, for good"}},
          "go on without the organisation's own key, which is needed for it once more (owner)",
          detach,
          {},
          "With --give-up the key is not needed, and what it protects is given up, for good: data of jobs,\n"
          "records in the archive, secrets of enrolment strings, the relay's copies of system keys. Events\n"
          "whose keys are hidden, because their data is masked or not kept, are not known again: one that\n"
          "comes twice starts two jobs. Only when who keeps the key refuses it (`keys show`), or when it\n"
          "was away for an hour. Agents and their certificates go on."};
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
       "versions and hours of the organisation's keys, never a key; where its own is, for owners",
       showing_keys("/v1/keys", organisation_text)},
      {"keys",
       "rotate",
       {},
       {},
       "make a new version of the organisation's master key",
       rotating("/v1/keys/rotate", organisation_text)},
      attach_command(),
      detach_command(),
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
