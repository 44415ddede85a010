#include "relay/cli/commands.h"
#include "relay/cli/requests.h"
#include "relay/cli/token_input.h"

#include <fmt/format.h>

namespace sallyport::cli {
namespace {

constexpr std::string_view kPath = "/v1/webhooks/{}";
constexpr std::size_t kMostSecret = 1'024;

const std::vector<Column> kColumns{{"ID", "id"},
                                   {"RECIPE", "recipe_name"},
                                   {"NAME", "name"},
                                   {"PATH", "path"},
                                   {"PROOF", "proof"},
                                   {"SIGNATURE HEADER", "signature_header"},
                                   {"SECRET SET", "secret_set_at"},
                                   {"OLD SECRET UNTIL", "old_secret_until"}};
const std::vector<NameSource> kNames{{"recipe", "/v1/recipes"}};

// What a file of --secret holds goes along, without blanks and line ends around it.
Result<Value> post(Context& context, Client& client, const Arguments& arguments, std::string path, ValueMap body) {
  if (!arguments.has("secret")) return client.post(std::move(path), Value(std::move(body)));
  SP_TRY(auto text, read_input(context, arguments.get("secret"), kMostSecret));
  SP_TRY(const auto secret, token_of(std::move(text), "--secret"));
  return client.json({.method = "POST",
                      .path = std::move(path),
                      .content_type = "application/json",
                      .body = with_secret(Value(std::move(body)), "secret", secret),
                      .headers = {}});
}

Result<void> show_secret(const Context& context, const Value& webhook) {
  const auto secret = text_of(webhook, "secret"), id = text_of(webhook, "id");
  if (secret.empty()) {
    context.show(webhook, card_of(webhook, kColumns));
    return {};
  }
  return show_once(context, webhook, card_of(webhook, kColumns) + fmt::format("SECRET (shown once): {}\n", secret),
                   {fmt::format("secret of webhook {}", id), "sallyport webhook rotate " + id + " --overlap 0s"});
}

int create(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    const auto recipe = arguments.positional(0);
    SP_TRY(const auto id, id_of(client, "recipe", "rcp_", "/v1/recipes", recipe));
    ValueMap body{{Value("recipe"), Value(id)}};
    if (arguments.has("name")) body.emplace(Value("name"), Value(arguments.get("name")));
    if (arguments.has("proof")) body.emplace(Value("proof"), Value(arguments.get("proof")));
    if (arguments.has("signature-header"))
      body.emplace(Value("signature_header"), Value(arguments.get("signature-header")));
    SP_TRY(const auto made, about(post(context, client, arguments, "/v1/webhooks", std::move(body)), "recipe", recipe));
    return show_secret(context, with_names(client, made, kNames));
  });
}

int rotate(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, checked_id("webhook", "whk_", arguments.positional(0)));
    ValueMap body;
    if (arguments.has("overlap")) body.emplace(Value("overlap"), Value(arguments.get("overlap")));
    auto path = fill(kPath, id) + "/rotate";
    SP_TRY(const auto changed,
           about(post(context, client, arguments, std::move(path), std::move(body)), "webhook", id));
    return show_secret(context, with_names(client, changed, kNames));
  });
}

int show(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, checked_id("webhook", "whk_", arguments.positional(0)));
    SP_TRY(const auto plain, about(client.get(fill(kPath, id)), "webhook", id));
    const auto webhook = with_names(client, plain, kNames);
    context.show(webhook, card_of(webhook, kColumns));
    return {};
  });
}

int remove(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, checked_id("webhook", "whk_", arguments.positional(0)));
    SP_TRY(const auto done, about(client.remove(fill(kPath, id)), "webhook", id));
    context.show(done, fmt::format("webhook {} removed\n", id));
    return {};
  });
}

constexpr Option kSecret{"secret", "FILE", "what the sender signs with, when it is the sender's; - is standard input"};

}  // namespace

std::vector<Command> webhook_commands() {
  return {
      {"webhook",
       "list",
       {},
       {},
       "addresses at which other systems start jobs",
       listing("/v1/webhooks", kColumns, kNames)},
      {"webhook", "show", {"WEBHOOK"}, {}, "one webhook, never its secret", show},
      {"webhook",
       "create",
       {"RECIPE"},
       {{"name", "NAME", "what people know it by"},
        {"proof", "standard-webhooks|signature|timestamped-signature", "how the sender signs (standard-webhooks)"},
        {"signature-header", "HEADER", "where its signature is (X-Hub-Signature-256 of signature)"},
        kSecret},
       "make an address at which another system starts jobs of a recipe",
       create,
       {},
       "The recipe needs the trigger webhook@1. The sender posts to PATH at the relay's own address.\n"
       "The secret that the relay makes is shown once."},
      {"webhook",
       "rotate",
       {"WEBHOOK"},
       {{"overlap", "DURATION", "for how long the secrets before are good, too (24h); 0s ends them now"}, kSecret},
       "give a webhook a new secret",
       rotate},
      {"webhook", "remove", {"WEBHOOK"}, {}, "remove a webhook: its sender is refused from then on", remove},
  };
}

}  // namespace sallyport::cli
