#include "relay/api/exchange.h"
#include "relay/api/registry.h"
#include "relay/store/sqlite/database.h"
#include "shared/base/json.h"
#include "shared/crypto/new_id.h"
#include "tests/support/async_test.h"
#include "tests/support/broken_ledger.h"
#include "tests/support/failing_vfs.h"
#include "tests/unit/relay/api/response_schema.h"
#include "tests/unit/relay/api/route_asks.h"
#include "tests/unit/relay/api/world.h"

#include <fmt/format.h>

#include <set>

// Everything here is generated from the registry: a route that is added is tested, and one without a sample body fails.
using namespace sallyport;
using namespace sallyport::test;
using api::Body;
using api::Reach;
using api::Repeat;
using api::Route;
using domain::Role;

namespace {

// Changes nothing but the ledger, which has to hear of it.
bool only_tells(const Route& route) {
  return route.audited.ends_with(".export") || route.id == "begin_authorization";  // which changes no row
}

// The rows of every table of a database but the ledgers', as text.
class Rows {
 public:
  explicit Rows(const std::filesystem::path& file)
      : database_(must(store::sqlite::Database::open(file, store::sqlite::Access::read_only))) {
    const auto tables = must(
        database_
            .prepare("select m.name, group_concat('quote(\"' || c.name || '\")', ' || '','' || ') "
                     "from sqlite_master m join pragma_table_info(m.name) c where m.type = 'table' and "
                     "m.name not in ('audit_rows', 'audit_heads', 'audit_texts', 'sqlite_sequence') group by m.name")
            .all([](store::sqlite::Row row) {
              auto table = row.text();
              return std::pair(std::move(table), row.text());
            }));
    for (const auto& [table, quoted] : tables)
      queries_.push_back(fmt::format(
          "select '{0}' || coalesce(char(10) || group_concat({1}, char(10)), '') from \"{0}\"", table, quoted));
  }
  std::string now() {
    std::string all;
    for (const auto& query : queries_) {
      all += must(database_.prepare(query).one("row", [](store::sqlite::Row row) { return row.text(); }));
      all += "\n";
    }
    return all;
  }

 private:
  store::sqlite::Database database_;
  std::vector<std::string> queries_;
};

class Everything {
 public:
  explicit Everything(const World& world) : data_(world.database()), keys_(world.folder / "keys.db") {}
  std::string now() { return data_.now() + keys_.now(); }

 private:
  Rows data_, keys_;
};

struct Played {
  int status = 200;  // a live stream is 200
  std::string body;
};

asio::awaitable<Played> play(World& world, Ask ask) {
  auto reply = co_await world.play(std::move(ask));
  if (auto* response = std::get_if<http::Response>(&reply)) co_return Played{response->status, response->body};
  co_return Played{};
}

// What is wrong with the answer of a call that succeeded, measured by the document; "" when nothing is.
std::string fault_in_answer(const Route& route, const Played& played) {
  if (route.response.empty() || played.body.empty()) return {};
  const auto value = parse_json(played.body);
  return value ? misfit(route.response, *value) : "the answer is no JSON";
}

const api::Field* cursor_of(const Route& route) {
  const auto found = std::ranges::find(route.query, "cursor", &api::Field::name);
  return found == route.query.end() ? nullptr : &*found;
}

// A cursor that the list could have given out.
std::string sample_cursor(const api::Field& cursor) {
  std::string sample;
  for (const auto part : cursor.among) {
    if (!sample.empty()) sample += '/';
    sample += part == "#" ? "1700000000000" : part == "*" ? "a" : std::string(part) + "01J9Z3ZZZZZZZZZZZZZZZZZZZZ";
  }
  return sample;
}

// For what is asked of every route many times, on a machine that does other things too.
constexpr std::chrono::seconds kLongTest{180};

}  // namespace

static asio::awaitable<void> answer_exactly_the_roles() {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto admin = co_await world.platform_token();
  const std::vector<std::pair<std::optional<Role>, std::string>> callers = {{std::nullopt, ""},
                                                                            {Role::viewer, tenant.token(Role::viewer)},
                                                                            {Role::editor, tenant.token(Role::editor)},
                                                                            {Role::owner, tenant.token(Role::owner)}};
  auto targets = co_await world.make_targets(tenant);
  for (const auto& route : api::routes()) {
    if (ends_its_caller(route)) continue;
    for (const auto& [role, token] : callers) {
      if (route.repeat != Repeat::safe) targets = co_await world.make_targets(tenant);
      const auto played = co_await play(world, ask_for(route, targets, token));
      INFO(route.id << " as " << (role ? to_string(*role) : "nobody") << ": " << played.body);
      if (allows(route, role, false)) {
        CHECK(played.status < 300);
        CHECK(fault_in_answer(route, played) == "");
      } else {
        CHECK(played.status == (role ? 403 : 401));
      }
    }
    if (route.reach != Reach::platform) continue;
    targets = co_await world.make_targets(tenant);
    const auto played = co_await play(world, ask_for(route, targets, admin));
    INFO(route.id << " as platform admin: " << played.body);
    CHECK(played.status < 300);
    CHECK(fault_in_answer(route, played) == "");
  }
}

TEST_CASE("every route answers exactly the roles that may call it", "[api][rbac]") {
  run(answer_exactly_the_roles(), kLongTest);
}

ASYNC_TEST_CASE("what is another organisation's answers like what is absent, byte by byte", "[api][tenancy]") {
  World world(co_await asio::this_coro::executor);
  const auto mine = co_await world.settle("mine");
  const auto theirs = co_await world.settle("theirs");
  const auto admin = co_await world.platform_token();
  for (const auto& route : api::routes()) {
    if (route.reach != Reach::organisation) continue;
    const bool names_target = !route.path.empty() || route.id == "start_job" || route.id == "create_webhook";
    if (!names_target) continue;
    const auto targets = co_await world.make_targets(theirs);
    const auto foreign = co_await play(world, ask_for(route, targets, mine.token(Role::owner)));
    const auto absent = co_await play(world, ask_for(route, absent_targets(), mine.token(Role::owner)));
    INFO(route.id << ": " << foreign.body);
    CHECK(foreign.status == 404);
    CHECK(foreign.body == absent.body);
    CHECK(absent.status == 404);
    if (allows(route, Role::viewer, true)) {
      const auto by_admin = co_await play(world, ask_for(route, targets, admin));
      CHECK(by_admin.status == 404);
      CHECK(by_admin.body == absent.body);
    }
    const auto own = co_await play(world, ask_for(route, targets, theirs.token(Role::owner)));
    CHECK(own.status < 300);  // nothing was changed by those who may not
  }
}

ASYNC_TEST_CASE("lists and filters of one organisation hold nothing of another", "[api][tenancy]") {
  World world(co_await asio::this_coro::executor);
  const auto mine = co_await world.settle("mine");
  const auto theirs = co_await world.settle("theirs");
  const auto targets = co_await world.make_targets(theirs);
  const std::string ids[] = {targets.user.value,  targets.token.value, targets.group.value,
                             targets.agent.value, theirs.group.value,  targets.recipe.value,
                             targets.job.value,   theirs.org.value,    targets.enrolment_token.value,
                             targets.tunnel.value};
  for (const auto& route : api::routes()) {
    if (route.method != http::Method::get || !route.path.empty() || route.reach != Reach::organisation) continue;
    std::vector<std::string> asks;
    const bool needs_more =
        std::ranges::find(route.query, api::Presence::required, &api::Field::presence) != route.query.end();
    if (!needs_more) asks.emplace_back(route.pattern);
    for (const auto& field : route.query) {
      if (field.format != api::Format::id) continue;
      const auto id = field.name == "agent"   ? targets.agent.value
                      : field.name == "group" ? theirs.group.value
                                              : targets.recipe.value;
      asks.push_back(fmt::format("{}?{}={}", route.pattern, field.name, id));
    }
    for (const auto& target : asks) {
      const auto played = co_await play(world, {"GET", target, mine.token(Role::owner)});
      INFO(target << ": " << played.body);
      CHECK((played.status == 200 || played.status == 404));
      for (const auto& id : ids) CHECK(played.body.find(id) == std::string::npos);
    }
  }
}

ASYNC_TEST_CASE("ids in bodies reach no other organisation", "[api][tenancy]") {
  World world(co_await asio::this_coro::executor);
  const auto mine = co_await world.settle("mine");
  const auto theirs = co_await world.settle("theirs");
  const auto targets = co_await world.make_targets(theirs);
  const std::pair<std::string, std::string> asks[] = {
      {"/v1/tokens", fmt::format(R"({{"name":"t","user":"{}"}})", targets.user.value)},
      {"/v1/enrolment-tokens", fmt::format(R"({{"group":"{}"}})", theirs.group.value)},
      {"/v1/jobs", fmt::format(R"({{"recipe":"{}"}})", targets.recipe.value)},
      {"/v1/jobs", R"({"recipe_name":"nothing-here"})"},
      {"/v1/tunnels", fmt::format(R"({{"name":"t","group":"{}","target":"a:1"}})", theirs.group.value)},
      {"/v1/tunnels", fmt::format(R"({{"name":"t","group":"{}","agent":"{}","target":"a:1"}})", mine.group.value,
                                  targets.agent.value)}};
  for (const auto& [target, body] : asks) {
    const auto played = co_await play(world, {"POST", target, mine.token(Role::owner), body});
    INFO(target << ": " << played.body);
    CHECK(played.status == 404);
  }
}

ASYNC_TEST_CASE("every change leaves exactly one audit row, done, failed or refused; reading leaves none",
                "[api][audit]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto admin = co_await world.platform_token();
  for (const auto& route : api::routes()) {
    if (route.reach == Reach::open || ends_its_caller(route)) continue;
    const bool platform = route.reach == Reach::platform;
    const auto targets = co_await world.make_targets(tenant);
    const auto& able = platform ? admin : tenant.token(Role::owner);
    const auto expect = [&](Ask ask, std::string_view outcome) -> asio::awaitable<void> {
      world.news();
      const auto played = co_await play(world, std::move(ask));
      const auto news = world.news();
      INFO(route.id << " " << outcome << ": " << played.body);
      REQUIRE(news.size() == (route.repeat == Repeat::safe ? 0 : 1));
      if (news.empty()) co_return;
      const auto& [ledger, event] = news.front();
      CHECK(text_of(event, "action") == route.audited);
      CHECK(text_of(event, "outcome") == outcome);
      CHECK(text_of(event, "request_id") == "req-1");
      CHECK(text_of(event, "actor").starts_with("token:tok_"));
      CHECK_FALSE(text_of(event, "target").empty());
      CHECK(ledger == (platform && outcome != "refused" ? store::system_ledger() : tenant.org));
    };
    co_await expect(ask_for(route, targets, able), "done");
    if (!route.path.empty()) co_await expect(ask_for(route, absent_targets(), able), "failed");
    if (!allows(route, Role::viewer, false))
      co_await expect(ask_for(route, targets, tenant.token(Role::viewer)), "refused");
  }
}

ASYNC_TEST_CASE("every list refuses a cursor that is not its own, all in the same way", "[api][pages]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto admin = co_await world.platform_token();
  const auto targets = co_await world.make_targets(tenant);
  std::set<std::string> cursors{"x", "agt_01J9Z3ZZZZZZZZZZZZZZZZZ", "%2F"};
  for (const auto& route : api::routes()) {
    if (const auto* cursor = cursor_of(route)) cursors.insert(sample_cursor(*cursor));
  }
  CHECK(cursors.size() > 10);
  int lists = 0;
  for (const auto& route : api::routes()) {
    const auto* cursor = cursor_of(route);
    if (std::ranges::find(route.query, "limit", &api::Field::name) != route.query.end() &&
        route.id != "list_job_events")
      CHECK(cursor != nullptr);
    if (cursor == nullptr) continue;
    ++lists;
    const auto own = sample_cursor(*cursor);
    for (const auto& one : cursors) {
      auto ask = ask_for(route, targets, route.reach == Reach::platform ? admin : tenant.token(Role::owner));
      ask.target += "?cursor=" + one;
      const auto played = co_await play(world, std::move(ask));
      INFO(route.id << " with " << one << ": " << played.body);
      CHECK(played.status == (one == own ? 200 : 400));
      if (one != own) CHECK(played.body.find("is not a cursor of this list") != std::string::npos);
    }
  }
  CHECK(lists == 17);
}

ASYNC_TEST_CASE("a change that cannot be recorded does not happen, on every route", "[api][audit]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto admin = co_await world.platform_token();
  Everything everything(world);
  for (const auto& route : api::routes()) {
    if (route.repeat == Repeat::safe || ends_its_caller(route)) continue;
    const auto targets = co_await world.make_targets(tenant);
    const auto& able = route.reach == Reach::platform ? admin : tenant.token(Role::owner);
    co_await world.call({"GET", "/v1/whoami", able});  // the token's last use is noted now, not during the call
    if (route.id == "detach_own_key")
      co_await world.call({"PUT", "/v1/keys/own", able, R"({"kind":"file","name":"one"})"});
    const auto before = everything.now();
    BrokenLedger broken(world.database());
    const auto played = co_await play(world, ask_for(route, targets, able));
    INFO(route.id << ": " << played.body);
    CHECK(played.status == 500);
    CHECK(played.body.find("not_audited") == std::string::npos);  // nobody is told that it may have had its effect
    CHECK(everything.now() == before);
  }
  CHECK(world.sink.text.find("audit.failed") != std::string::npos);
  BrokenLedger broken(world.database());
  const auto refused = co_await world.call({"POST", "/v1/groups", tenant.token(Role::viewer), R"({"name":"g1"})"});
  CHECK(refused.status == 403);  // the refusal stands whatever happens to its row
}

static asio::awaitable<void> fail_at_every_database_operation() {
  FailingVfs vfs;
  const auto kind = GENERATE(FailingVfs::Kind::full_disk, FailingVfs::Kind::io_error);
  World world(co_await asio::this_coro::executor, {}, vfs.name());
  const auto tenant = co_await world.settle("a");
  const auto admin = co_await world.platform_token();
  Everything everything(world);
  for (const auto& route : api::routes()) {
    if (route.repeat == Repeat::safe || ends_its_caller(route) || only_tells(route)) continue;
    const auto& able = route.reach == Reach::platform ? admin : tenant.token(Role::owner);
    co_await world.call({"GET", "/v1/whoami", able});
    int failures = 0;
    auto targets = co_await world.make_targets(tenant);
    auto before = everything.now();
    for (std::uint64_t operation = 1; operation < 100; ++operation) {
      world.news();
      vfs.fail_at(operation, kind);
      const auto played = co_await play(world, ask_for(route, targets, able));
      const bool failed = vfs.has_failed();
      vfs.heal();
      const auto news = world.news();
      const auto after = everything.now();
      const bool changed = after != before;
      const auto done =
          std::ranges::count_if(news, [](const Seen& s) { return text_of(s.event, "outcome") == "done"; });
      INFO(route.id << " with operation " << operation << " failing: " << played.body);
      CHECK(done == (changed ? 1 : 0));
      CHECK((played.status < 300) == changed);
      CHECK(news.size() <= 1);
      if (!failed) break;
      ++failures;
      if (!changed) continue;
      targets = co_await world.make_targets(tenant);
      before = everything.now();
    }
    INFO(route.id);
    CHECK(failures >= 3);  // the plan did strike
  }
}

TEST_CASE("whichever database operation fails, a change and its audit row come together", "[api][audit]") {
  run(fail_at_every_database_operation(), kLongTest);
}

ASYNC_TEST_CASE("a handler that forgets the audit entry of its change is found out", "[api][audit]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  auto route = *std::ranges::find(api::routes(), "create_group", &Route::id);
  route.handler = [](api::Services&, api::Call) -> asio::awaitable<Result<api::Answer>> {
    co_return api::Answer{http::Response{.status = 204}};
  };
  api::Admitted admitted{.route = &route};
  admitted.caller.org = tenant.org;
  api::ApiExchange exchange(world.api, std::move(admitted));
  http::Request request;
  request.body = R"({"name":"g1"})";
  auto reply = co_await exchange.answer(std::move(request));
  CHECK(std::get<http::Response>(reply).status == 500);
  CHECK(std::get<http::Response>(reply).body.find("not_audited") != std::string::npos);
}

ASYNC_TEST_CASE("what sets something needs a body that says what, and changes nothing without", "[api][routes]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto admin = co_await world.platform_token();
  Everything everything(world);
  int setting = 0, orders = 0;
  for (const auto& route : api::routes()) {
    if (route.body == Body::none || ends_its_caller(route)) continue;
    const auto targets = co_await world.make_targets(tenant);
    auto ask = ask_for(route, targets, route.reach == Reach::platform ? admin : tenant.token(Role::owner));
    co_await world.call({"GET", "/v1/whoami", ask.token});  // the token's last use is noted now, not during the call
    const bool may_say_nothing = ask.body == "{}";          // positive control: these go on to their handler
    ask.body.clear();
    const auto before = everything.now();
    const auto played = co_await play(world, ask);
    INFO(route.id << ": " << played.body);
    if (route.method == http::Method::put || route.method == http::Method::patch) {
      ++setting;
      CHECK(played.status == 400);
      CHECK(played.body.contains("A JSON body is needed."));
      CHECK(everything.now() == before);
    } else {
      orders += may_say_nothing ? 1 : 0;
      CHECK((may_say_nothing ? played.status < 300 : played.status == 422));
    }
  }
  CHECK(setting == 9);
  CHECK(orders > 5);
}

ASYNC_TEST_CASE("a token's scopes limit its user's role on every route", "[api][rbac]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto made = co_await world.call(
      {"POST", "/v1/tokens", tenant.token(Role::owner), R"({"name":"n","scopes":["agents:read"]})"});
  REQUIRE(made.status == 201);
  const auto narrow = text_of(json_of(made), "secret");
  const auto targets = co_await world.make_targets(tenant);
  for (const auto& route : api::routes()) {
    if (route.reach != Reach::organisation) continue;
    const auto played = co_await play(world, ask_for(route, targets, narrow));
    INFO(route.id << ": " << played.body);
    CHECK((played.status < 300) == (route.scope == domain::Scope::agents_read));
    if (route.scope != domain::Scope::agents_read) CHECK(played.status == 403);
  }
}
