#include "relay/cli/commands.h"
#include "relay/cli/requests.h"

#include <fmt/format.h>

namespace sallyport::cli {
namespace {

const std::vector<Column> kUserColumns{
    {"ID", "id"}, {"NAME", "name"}, {"EMAIL", "email"}, {"ROLE", "role"}, {"PLATFORM ADMIN", "platform_admin"}};
const std::vector<Column> kTokenColumns{{"ID", "id"},
                                        {"NAME", "name"},
                                        {"USER", "user_name"},
                                        {"EXPIRES", "expires_at"},
                                        {"REVOKED", "revoked_at"},
                                        {"LAST USED", "last_used_at"}};
ValueList words_of(std::string_view text) {
  ValueList words;
  while (!text.empty()) {
    const auto comma = text.find(',');
    if (const auto word = text.substr(0, comma); !word.empty()) words.emplace_back(word);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  return words;
}

Result<std::string> user_id(Client& client, std::string_view email_or_id) {
  return id_of(client, "user", "usr_", "/v1/users", email_or_id, "email");
}

int create_token(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    ValueMap body{{Value("name"), Value(arguments.positional(0))}};
    if (arguments.has("user")) {
      SP_TRY(auto user, user_id(client, arguments.get("user")));
      body.emplace(Value("user"), Value(std::move(user)));
    }
    if (arguments.has("scopes")) body.emplace(Value("scopes"), Value(words_of(arguments.get("scopes"))));
    if (arguments.has("expires-in")) body.emplace(Value("expires_in"), Value(arguments.get("expires-in")));
    SP_TRY(const auto token, about(client.post("/v1/tokens", Value(std::move(body))), "user", arguments.get("user")));
    const auto id = text_of(token, "id");
    return show_once(context, token, text_of(token, "secret") + "\n",
                     {"API token " + id, "sallyport token revoke " + id});
  });
}

int add_user(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    const auto email = std::string(arguments.positional(0));
    SP_TRY(const auto user,
           client.post("/v1/users", Value(ValueMap{{Value("email"), Value(email)},
                                                   {Value("name"), Value(arguments.get("name", email))},
                                                   {Value("role"), Value(arguments.get("role", "viewer"))}})));
    context.show(user, card_of(user, kUserColumns));
    return {};
  });
}

int change_role(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, user_id(client, arguments.positional(0)));
    SP_TRY(const auto user, about(client.patch(fill("/v1/users/{}", id),
                                               Value(ValueMap{{Value("role"), Value(arguments.positional(1))}})),
                                  "user", arguments.positional(0)));
    context.show(user, card_of(user, kUserColumns));
    return {};
  });
}

int remove_user(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, user_id(client, arguments.positional(0)));
    SP_TRY(const auto done, about(client.remove(fill("/v1/users/{}", id)), "user", arguments.positional(0)));
    context.show(done, fmt::format("user {} removed\n", terminal_safe(arguments.positional(0))));
    return {};
  });
}

int revoke_token(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, checked_id("token", "tok_", arguments.positional(0)));
    SP_TRY(const auto done, about(client.remove(fill("/v1/tokens/{}", id)), "token", id));
    context.show(done, fmt::format("API token {} revoked\n", id));
    return {};
  });
}

int create_organisation(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    ValueMap body{{Value("name"), Value(arguments.positional(0))}};
    const auto email = arguments.get("owner");
    body.emplace(Value("owner_email"), Value(email));
    body.emplace(Value("owner_name"), Value(arguments.get("owner-name", email)));
    SP_TRY(const auto made, client.post("/v1/organisations", Value(std::move(body))));
    const Value* owner_token = made.find("token");
    const auto id = owner_token != nullptr ? text_of(*owner_token, "id") : "";
    return show_once(
        context, made, terminal_safe_json(yaml_of(made)),
        {fmt::format("organisation {} with its owner's API token {}", arguments.positional(0), id),
         fmt::format("sallyport token revoke {}, as an owner of it; \"sallyport-relay token\" makes another", id)});
  });
}

}  // namespace

std::vector<Command> access_commands() {
  return {
      {"token", "list", {}, {}, "API tokens", listing("/v1/tokens", kTokenColumns, {{"user", "/v1/users", "email"}})},
      {"token",
       "create",
       {"NAME"},
       {{"user", "USER", "for another user of the organisation, by e-mail address or id (yourself)"},
        {"scopes", "A,B", "what it may do (all that its user may)"},
        {"expires-in", "DURATION", "such as 30d"}},
       "make an API token: shown once",
       create_token},
      {"token", "revoke", {"TOKEN"}, {}, "make an API token useless", revoke_token},
      {"user", "list", {}, {}, "users of the organisation", listing("/v1/users", kUserColumns)},
      {"user",
       "add",
       {"EMAIL"},
       {{"name", "NAME", "the person's name"}, {"role", "owner|editor|viewer", "what they may do (viewer)"}},
       "add a user",
       add_user},
      {"user",
       "role",
       {"USER", "owner|editor|viewer"},
       {},
       "change the role of a user, by e-mail address or id",
       change_role},
      {"user", "remove", {"USER"}, {}, "remove a user, by e-mail address or id, and their tokens", remove_user},
      {"organisation",
       "show",
       {},
       {},
       "the organisation of the login",
       showing("/v1/organisation", {{"ID", "id"}, {"NAME", "name"}, {"CREATED", "created_at"}})},
      {"organisation",
       "list",
       {},
       {},
       "all organisations (platform admin)",
       listing("/v1/organisations", {{"ID", "id"}, {"NAME", "name"}, {"CREATED", "created_at"}})},
      {"organisation",
       "create",
       {"NAME"},
       {{"owner", "EMAIL", "its first owner", Need::required}, {"owner-name", "NAME", "that person's name"}},
       "make an organisation with its first owner (platform admin)",
       create_organisation},
  };
}

}  // namespace sallyport::cli
