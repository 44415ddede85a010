#include "relay/cli/commands.h"
#include "relay/cli/requests.h"

#include <fmt/format.h>

namespace sallyport::cli {
namespace {

const std::vector<Column> kUserColumns{
    {"ID", "id"}, {"NAME", "name"}, {"EMAIL", "email"}, {"ROLE", "role"}, {"PLATFORM ADMIN", "platform_admin"}};
const std::vector<Column> kTokenColumns{{"ID", "id"},
                                        {"NAME", "name"},
                                        {"USER", "user"},
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

int create_token(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    ValueMap body{{Value("name"), Value(arguments.positional(0))}};
    if (arguments.has("user")) body.emplace(Value("user"), Value(arguments.get("user")));
    if (arguments.has("scopes")) body.emplace(Value("scopes"), Value(words_of(arguments.get("scopes"))));
    if (arguments.has("expires-in")) body.emplace(Value("expires_in"), Value(arguments.get("expires-in")));
    SP_TRY(const auto token, client.post("/v1/tokens", Value(std::move(body))));
    context.show(token, text_of(token, "secret") + "\n");
    return {};
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
    SP_TRY(const auto user, client.patch(fill("/v1/users/{}", arguments.positional(0)),
                                         Value(ValueMap{{Value("role"), Value(arguments.positional(1))}})));
    context.show(user, card_of(user, kUserColumns));
    return {};
  });
}

std::function<int(Context&, const Arguments&)> removing(std::string path, std::string word) {
  return [path = std::move(path), word = std::move(word)](Context& context, const Arguments& arguments) {
    return with_client(context, [&](Client& client) -> Result<void> {
      SP_TRY(const auto done, client.remove(fill(path, arguments.positional(0))));
      context.show(done, word + "\n");
      return {};
    });
  };
}

int create_organisation(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    ValueMap body{{Value("name"), Value(arguments.positional(0))}};
    const auto email = arguments.get("owner");
    if (email.empty()) return fail(Errc::invalid, "--owner EMAIL is needed: the organisation's first owner");
    body.emplace(Value("owner_email"), Value(email));
    body.emplace(Value("owner_name"), Value(arguments.get("owner-name", email)));
    SP_TRY(const auto made, client.post("/v1/organisations", Value(std::move(body))));
    context.show(made, yaml_of(made));
    return {};
  });
}

int verify_audit(Context& context, const Arguments&) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto verdict, client.get("/v1/audit-events/verify"));
    context.show(verdict, yaml_of(verdict));
    const Value* intact = verdict.find("intact");
    if (intact == nullptr || !intact->is(Value::Kind::boolean) || !intact->as_bool()) {
      return fail(Errc::conflict, "the audit log has been changed: see bad_seq");
    }
    return {};
  });
}

}  // namespace

std::vector<Command> access_commands() {
  return {
      {"token", "list", {}, {}, "API tokens", listing("/v1/tokens", kTokenColumns)},
      {"token",
       "create",
       {"NAME"},
       {{"user", "USER", "for another user of the organisation (yourself)"},
        {"scopes", "A,B", "what it may do (all that its user may)"},
        {"expires-in", "TIME", "such as 30d"}},
       "make an API token: shown once",
       create_token},
      {"token", "revoke", {"TOKEN"}, {}, "make an API token useless", removing("/v1/tokens/{}", "revoked")},
      {"user", "list", {}, {}, "users of the organisation", listing("/v1/users", kUserColumns)},
      {"user",
       "add",
       {"EMAIL"},
       {{"name", "NAME", "the person's name"}, {"role", "owner|editor|viewer", "what they may do (viewer)"}},
       "add a user",
       add_user},
      {"user", "role", {"USER", "ROLE"}, {}, "change a user's role", change_role},
      {"user", "remove", {"USER"}, {}, "remove a user and their tokens", removing("/v1/users/{}", "removed")},
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
       {{"owner", "EMAIL", "its first owner"}, {"owner-name", "NAME", "that person's name"}},
       "make an organisation with its first owner (platform admin)",
       create_organisation},
      {"audit",
       "list",
       {},
       {},
       "audit events, newest first",
       listing("/v1/audit-events", {{"SEQ", "seq"},
                                    {"AT", "at"},
                                    {"ACTOR", "event.actor"},
                                    {"ACTION", "event.action"},
                                    {"TARGET", "event.target"},
                                    {"OUTCOME", "event.outcome"}})},
      {"audit", "verify", {}, {}, "check the hash chain of the audit log", verify_audit},
  };
}

}  // namespace sallyport::cli
