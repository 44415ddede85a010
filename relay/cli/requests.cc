#include "relay/cli/requests.h"

#include "relay/cli/profile.h"
#include "shared/base/ids.h"
#include "shared/base/json.h"
#include "shared/base/percent.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <ranges>
#include <set>

namespace sallyport::cli {
namespace {
constexpr std::size_t kPage = 200;

struct Listing {
  std::string_view noun, command;
};
constexpr std::array kListings{
    Listing{"agent", "agent list"},
    Listing{"agent token", "agent token list"},
    Listing{"archived job", "archive list"},
    Listing{"group", "group list"},
    Listing{"job", "jobs list"},
    Listing{"organisation", "organisation list"},
    Listing{"recipe", "recipes list"},
    Listing{"system key", "system-keys list"},
    Listing{"token", "token list"},
    Listing{"tunnel", "tunnel list"},
    Listing{"user", "user list"},
    Listing{"webhook", "webhook list"},
};

// The names of what the rows hold ids of, by id; what cannot be found out is absent.
std::map<std::string, std::string> names_of(Client& client, const ValueList& rows, const NameSource& source) {
  std::set<std::string> wanted;
  for (const auto& row : rows) wanted.insert(text_of(row, source.member));
  wanted.erase("");
  std::map<std::string, std::string> names;
  if (wanted.empty()) return names;
  const auto list = list_all(client, std::string(source.path));
  if (!list) return names;
  for (const auto& item : list->find("items")->as_list()) {
    if (const auto id = text_of(item, "id"); wanted.erase(id) != 0) names.emplace(id, text_of(item, source.shown));
  }
  for (const auto& id : wanted | std::views::take(kMostAskedFor)) {
    const auto one = client.get(fill(fmt::format("{}/{{}}", source.path), id));
    if (one && !text_of(*one, source.shown).empty()) names.emplace(id, text_of(*one, source.shown));
  }
  return names;
}

}  // namespace

int with_client(Context& context, const std::function<Result<void>(Client&)>& use) {
  auto endpoint = load_endpoint(context);
  if (!endpoint) return context.fail_with(endpoint.error());
  Client client(std::move(*endpoint));
  if (auto done = use(client); !done) return context.fail_with(done.error());
  return kDone;
}

Result<Value> list_all(Client& client, const std::string& path) { return list_some(client, path, {}); }

Result<Value> list_some(Client& client, const std::string& path, Part part) {
  ValueList items;
  auto& [most, cursor] = part;
  do {
    const char separator = path.find('?') == std::string::npos ? '?' : '&';
    const auto limit = most == 0 ? kPage : std::min(kPage, most - items.size());
    auto url = fmt::format("{}{}limit={}", path, separator, limit);
    if (!cursor.empty()) url += "&cursor=" + percent_encode(cursor);
    SP_TRY(const auto page, client.get(url));
    const Value* list = page.find("items");
    if (list == nullptr || !list->is(Value::Kind::list)) return fail(Errc::invalid, "the relay's answer is no list");
    items.insert(items.end(), list->as_list().begin(), list->as_list().end());
    cursor = text_of(page, "next");
  } while (!cursor.empty() && (most == 0 || items.size() < most));
  return Value(ValueMap{{Value("items"), Value(std::move(items))},
                        {Value("next"), cursor.empty() ? Value() : Value(std::move(cursor))}});
}

Part part_of(const Arguments& arguments) {
  return {static_cast<std::size_t>(arguments.number("limit").value_or(kMostListed)), arguments.get("cursor")};
}

void tell_more(const Context& context, const Value& list) {
  const auto next = text_of(list, "next");
  if (next.empty() || context.format != Format::table) return;
  context.complain(fmt::format("there are more: --limit N lists more of them, --cursor {} goes on here", next));
}

void add_names(Client& client, ValueList& rows, const std::vector<NameSource>& sources) {
  for (const auto& source : sources) {
    const auto names = names_of(client, rows, source);
    for (auto& row : rows) {
      const auto id = text_of(row, source.member);
      const auto name = names.find(id);
      auto named = row.as_map();
      named.insert_or_assign(Value(fmt::format("{}_name", source.member)),
                             id.empty() ? Value() : Value(name == names.end() ? id : name->second));
      row = Value(std::move(named));
    }
  }
}

Value with_names(Client& client, Value one, const std::vector<NameSource>& sources) {
  ValueList rows{std::move(one)};
  add_names(client, rows, sources);
  return rows.front();
}

std::function<int(Context&, const Arguments&)> listing(std::string path, std::vector<Column> columns,
                                                       std::vector<NameSource> names) {
  return [path = std::move(path), columns = std::move(columns), names = std::move(names)](Context& context,
                                                                                          const Arguments&) {
    return with_client(context, [&](Client& client) -> Result<void> {
      SP_TRY(const auto list, list_all(client, path));
      auto rows = list.find("items")->as_list();
      add_names(client, rows, names);
      const auto text = table_of(rows, columns);
      auto shown = list.as_map();
      shown.insert_or_assign(Value("items"), Value(std::move(rows)));
      context.show(Value(std::move(shown)), text);
      return {};
    });
  };
}

std::function<int(Context&, const Arguments&)> showing(std::string path, std::vector<Column> columns) {
  return [path = std::move(path), columns = std::move(columns)](Context& context, const Arguments& arguments) {
    return with_client(context, [&](Client& client) -> Result<void> {
      SP_TRY(const auto one, client.get(fill(path, arguments.positional(0))));
      context.show(one, card_of(one, columns));
      return {};
    });
  };
}

std::string fill(std::string_view path, std::string_view word) {
  const auto hole = path.find("{}");
  if (hole == std::string_view::npos) return std::string(path);
  return std::string(path.substr(0, hole)) + percent_encode(word) + std::string(path.substr(hole + 2));
}

Result<std::string> id_of(Client& client, std::string_view noun, std::string_view prefix, const std::string& list_path,
                          std::string_view name_or_id, std::string_view name_member) {
  if (is_ulid(name_or_id, prefix)) return std::string(name_or_id);
  SP_TRY(const auto list, list_all(client, list_path));
  std::string found;
  for (const auto& item : list.find("items")->as_list()) {
    if (text_of(item, name_member) != name_or_id) continue;
    if (!found.empty())
      return fail(Errc::conflict, fmt::format("more than one {} is named \"{}\"; use the id", noun, name_or_id));
    found = text_of(item, "id");
  }
  if (found.empty()) return std::unexpected(about(Error{Errc::not_found, ""}, noun, name_or_id));
  return found;
}

Result<std::string> checked_id(std::string_view noun, std::string_view prefix, std::string_view word) {
  if (is_ulid(word, prefix)) return std::string(word);
  return std::unexpected(about(Error{Errc::not_found, ""}, noun, word));
}

std::string_view listing_of(std::string_view noun) {
  const auto* const found = std::ranges::find(kListings, noun, &Listing::noun);
  return found == kListings.end() ? std::string_view() : found->command;
}

std::vector<std::string_view> listed_nouns() {
  std::vector<std::string_view> nouns;
  nouns.reserve(kListings.size());
  for (const auto& one : kListings) nouns.push_back(one.noun);
  return nouns;
}

bool is_other_absent(Client& client, const Error& error, std::string path) {
  return error.code == Errc::not_found && client.get(std::move(path)).has_value();
}

Result<void> show_once(const Context& context, const Value& made, std::string_view text, const ToldOnce& secret) {
  context.show(made, text);
  if (context.can_print()) return {};
  return fail(Errc::internal, fmt::format("the {} exists, but could not be shown and never can be; end it with: {}",
                                          secret.what, secret.undo));
}

Error about(Error error, std::string_view noun, std::string_view word) {
  if (error.code != Errc::not_found) return error;
  error.message = fmt::format("there is no {} \"{}\"", noun, terminal_safe(word));
  if (const auto listing = listing_of(noun); !listing.empty())
    error.message += fmt::format("; see: sallyport {}", listing);
  return error;
}

std::string with_secret(const Value& order, std::string_view member, const Secret& secret) {
  auto rest = to_json(order);
  rest.pop_back();
  std::string whole;
  whole.reserve(rest.size() + member.size() + 6 * secret.size() + 8);  // an escape has 6 characters at most
  whole.append(rest).append(rest.size() > 1 ? "," : "").append("\"").append(member).append("\":");
  append_json_string(whole, secret.reveal());
  whole += '}';
  return whole;
}

std::string text_of(const Value& map, std::string_view member) {
  const Value* value = map.find(member);
  return value != nullptr && value->is(Value::Kind::string) ? value->as_string() : std::string();
}

}  // namespace sallyport::cli
