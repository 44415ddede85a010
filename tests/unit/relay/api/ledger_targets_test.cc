#include "relay/store/sqlite/database.h"
#include "shared/base/json.h"
#include "tests/support/async_test.h"
#include "tests/unit/relay/api/route_asks.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>

// What stays in a ledger for good tells who, what, when and how it ended; what people name things by can be erased.
using namespace sallyport;
using namespace sallyport::test;
using api::Reach;
using api::Repeat;
using api::Route;
using domain::Role;

namespace {

// What a row is about, in the part of it that stays: words of this program, ids and numbers, nothing that was typed.
bool holds_nothing_typed(const std::string& target) {
  if (target.empty()) return true;
  if (target.starts_with("path:")) {
    return std::ranges::any_of(api::routes(),
                               [&](const auto& r) { return "path:" + std::string(r.pattern) == target; });
  }
  static const std::regex words("[a-z_]+:([a-z]+_[0-9A-HJKMNP-TV-Z]{26}|global)|platform");
  std::istringstream parts(target);
  return std::all_of(std::istream_iterator<std::string>(parts), {},
                     [](const auto& part) { return std::regex_match(part, words); });
}

// The rows of all ledgers as they are chained, without the texts beside them.
std::string chained_rows(const World& world) {
  using namespace store::sqlite;
  auto database = must(Database::open(world.database(), Access::read_only));
  std::string all;
  for (const auto& row : must(database.prepare("select json from audit_rows").all([](Row r) { return r.text(); })))
    all += row + "\n";
  return all;
}

bool is_typed(const api::Field& field) {
  return field.format != api::Format::id && field.type != api::FieldType::integer;
}

// With something else than an id where the path takes one.
Ask at_a_foreign_path(const Route& route, Ask ask) {
  const auto open = route.pattern.find('{'), close = route.pattern.find('}');
  if (open == std::string_view::npos) return ask;
  ask.target = fmt::format("{}ada-lovelace{}", route.pattern.substr(0, open), route.pattern.substr(close + 1));
  return ask;
}

}  // namespace

ASYNC_TEST_CASE("no ledger keeps in its chain what somebody typed into a path", "[api][audit]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto admin = co_await world.platform_token();
  std::set<std::string> typed{"ada-lovelace", "no-such-key"};
  std::set<std::string_view> parameters;
  for (const auto& route : api::routes()) {
    if (route.repeat == Repeat::safe || ends_its_caller(route)) continue;
    for (const auto& field : route.path)
      if (is_typed(field)) parameters.insert(field.name);
    const auto targets = co_await world.make_targets(tenant);
    typed.insert({targets.system_key, targets.system_key + "-new"});
    const auto& able = route.reach == Reach::platform ? admin : tenant.token(Role::owner);
    world.news();
    for (const auto& ask : {ask_for(route, targets, able), ask_for(route, absent_targets(), able),
                            at_a_foreign_path(route, ask_for(route, targets, tenant.token(Role::viewer)))}) {
      (void)co_await world.play(ask);
      for (const auto& [ledger, event] : world.news()) {
        INFO(route.id << ": " << to_json(event));
        CHECK(holds_nothing_typed(text_of(event, "target")));
      }
    }
  }
  CHECK(parameters == std::set<std::string_view>{"system_key"});  // for another one `typed` needs its words
  const auto rows = chained_rows(world);
  CHECK(rows.contains("\"system_key.set\""));
  for (const auto& word : typed) {
    INFO(word);
    CHECK_FALSE(rows.contains(word));
  }
  CHECK_FALSE(holds_nothing_typed("system_key:erp-db"));  // positive controls
  CHECK_FALSE(holds_nothing_typed("path:/v1/system-keys/erp-db"));
  CHECK_FALSE(holds_nothing_typed("group:grp_01J9Z3ZZZZZZZZZZZZZZZZZZZZ erp"));
}

ASYNC_TEST_CASE("the ledger tells of a system key by its group, and its name beside it", "[api][audit][system_keys]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto targets = co_await world.make_targets(tenant);
  const auto remove = [&](std::string_view name, Role role) -> asio::awaitable<Value> {
    world.news();
    (void)co_await world.call(
        {.method = "DELETE", .target = fmt::format("/v1/system-keys/{}", name), .token = tenant.token(role)});
    const auto news = world.news();
    REQUIRE(news.size() == 1);
    co_return news[0].event;
  };
  const auto refused = co_await remove(targets.system_key, Role::viewer);
  CHECK(text_of(refused, "target") == "path:/v1/system-keys/{system_key}");
  CHECK(text_of(*refused.find("detail"), "path") == "/v1/system-keys/" + targets.system_key);
  const auto done = co_await remove(targets.system_key, Role::editor);
  CHECK(text_of(done, "target") == "group:" + tenant.group.value);
  CHECK(text_of(*done.find("detail"), "system_key") == targets.system_key);
  const auto failed = co_await remove(targets.system_key, Role::editor);
  CHECK(text_of(failed, "target") == "path:/v1/system-keys/{system_key}");
  CHECK(text_of(*failed.find("detail"), "system_key") == targets.system_key);
}
