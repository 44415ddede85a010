#include "relay/cli/commands.h"
#include "relay/cli/requests.h"
#include "shared/base/json.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace sallyport::cli {
namespace {

constexpr std::string_view kOurs = "/v1/retention", kPlatform = "/v1/platform/retention";
constexpr std::string_view kOursNotes =
    "TIME is in whole hours or days (36h, 14d), or none for payload, or default to leave the\n"
    "class to the platform. What is not named stays as it is.";
constexpr std::string_view kPlatformNotes =
    "TIME is in whole hours or days (36h, 14d), or default for what the relay comes with. What is\n"
    "not named stays as it is.";
constexpr std::string_view kNotSet = "default";

const std::vector<Column> kColumns{
    {"CLASS", "class"}, {"SET", "set"}, {"ALLOWED", "allowed"}, {"IN EFFECT", "in_effect"}};

// In the order in which people ask for them.
constexpr std::array<std::string_view, 5> kClasses{"payload", "logs", "server_logs", "audit", "archive"};

std::string table_of_retention(const Value& retention) {
  ValueList rows;
  for (const auto one : kClasses) {
    const auto* term = retention.find(one);
    if (term == nullptr) continue;
    auto row = term->as_map();
    row.emplace(Value("class"), Value(one));
    rows.emplace_back(std::move(row));
  }
  return table_of(rows, kColumns);
}

struct Setting {
  std::string_view name;
  std::string_view kept;
};

Setting setting_of(std::string_view word) {
  const auto equals = word.find('=');
  return {word.substr(0, equals), equals == std::string_view::npos ? std::string_view() : word.substr(equals + 1)};
}

Result<void> check_settings(const Arguments& arguments) {
  for (const auto& word : arguments.positionals()) {
    const auto setting = setting_of(word);
    if (setting.name.empty() || setting.kept.empty())
      return fail(Errc::invalid,
                  fmt::format("'{}' must be a class and how long it is kept, such as payload=30d", word));
    const auto same = std::ranges::count_if(arguments.positionals(),
                                            [&](const auto& other) { return setting_of(other).name == setting.name; });
    if (same > 1) return fail(Errc::invalid, fmt::format("{} is set twice", setting.name));
  }
  return {};
}

// What is set now, with what the words change.
Result<ValueMap> order_of(const Value& now, const Arguments& arguments) {
  ValueMap order;
  for (const auto& [name, term] : now.as_map()) order.emplace(name, *term.find("set"));
  for (const auto& word : arguments.positionals()) {
    const auto [name, kept] = setting_of(word);
    const auto found = order.find(Value(name));
    if (found == order.end()) {
      std::vector<std::string> known;
      for (const auto& [one, set] : order) known.push_back(one.as_string());
      return fail(Errc::invalid, fmt::format("'{}' is not set here; there are {}", name, fmt::join(known, ", ")));
    }
    found->second = kept == kNotSet ? Value() : Value(kept);
  }
  if (arguments.has("shorten")) order.emplace(Value("shorten"), Value("confirmed"));
  return order;
}

Result<Value> shown(const Answer& answer) { return parse_json(answer.body); }

// The option needs no word, the web API does.
Error in_words(Error error) {
  constexpr std::string_view kAsked = "/shorten: must be \"confirmed\": ";
  if (const auto at = error.message.find(kAsked); at != std::string::npos)
    error.message.replace(at, kAsked.size(), "say --shorten: ");
  return error;
}

// Over the state that was read, and no other.
Result<void> change(Context& context, Client& client, std::string_view path, const Arguments& arguments) {
  SP_TRY(const auto before, client.send({.method = "GET", .path = std::string(path)}));
  SP_TRY(const auto now, shown(before));
  SP_TRY(auto order, order_of(now, arguments));
  for (const auto& [name, set] : order) context.words.try_emplace("/" + name.as_string(), name.as_string());
  const auto retention = client.json({.method = "PUT",
                                      .path = std::string(path),
                                      .content_type = "application/json",
                                      .body = to_json(Value(std::move(order))),
                                      .headers = {"If-Match: " + before.tag}});
  if (!retention) return std::unexpected(in_words(retention.error()));
  context.show(*retention, table_of_retention(*retention));
  return {};
}

Command show_command(std::string_view verb, std::string_view path, std::string_view help) {
  return {"retention", verb, {}, {}, help, [path](Context& context, const Arguments&) {
            return with_client(context, [&](Client& client) -> Result<void> {
              SP_TRY(const auto retention, client.get(std::string(path)));
              context.show(retention, table_of_retention(retention));
              return {};
            });
          }};
}

Command set_command(std::string_view verb, std::string_view path, std::string_view help, std::string_view notes) {
  return {"retention",
          verb,
          {"CLASS=TIME..."},
          {{"shorten", "", "yes, what is kept for less than now becomes unreadable"}},
          help,
          [path](Context& context, const Arguments& arguments) {
            return with_client(context, [&](Client& client) { return change(context, client, path, arguments); });
          },
          check_settings,
          notes};
}

}  // namespace

std::vector<Command> retention_commands() {
  return {show_command("show", kOurs, "how long the organisation's data is kept"),
          set_command("set", kOurs, "set how long the organisation's data is kept (owner)", kOursNotes),
          show_command("platform show", kPlatform, "how long data is kept at most (platform admin)"),
          set_command("platform set", kPlatform, "set how long data is kept at most (platform admin)", kPlatformNotes)};
}

}  // namespace sallyport::cli
