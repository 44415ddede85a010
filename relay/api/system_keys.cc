#include "relay/api/fields.h"
#include "relay/api/lookups.h"
#include "relay/api/notes.h"
#include "relay/api/replies.h"
#include "relay/api/resources.h"
#include "relay/api/services.h"
#include "relay/keys/system_key_identity.h"
#include "shared/sealing/credentials.h"
#include "shared/sealing/limits.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kBody = sealing::kMostRecipients * sealing::kMostSealed * 3 / 2;  // in base64url, and the rest

std::string_view state_of(const store::CopyHolder& holder) {
  if (!holder.sealed) return "lacking";
  if (holder.state == store::CopyState::unopenable) return "unopenable";
  if (holder.newest && *holder.newest > *holder.sealed) return "outdated";
  return holder.state == store::CopyState::held ? "held" : "sealed";
}

Object shape(const store::SystemKey& key) {
  ValueList values;
  for (const auto& name : key.values) values.emplace_back(name);
  Object object;
  object.put("name", Value(key.name))
      .put("group", key.group)
      .put("version", key.version)
      .put("values", Value(std::move(values)))
      .put("set_by", key.set_by)
      .put("set_at", key.set_at);
  return object;
}

Value shape(const store::SystemKey& key, const std::vector<store::CopyHolder>& holders) {
  ValueList agents;
  for (const auto& one : holders) {
    agents.push_back(
        Object().put("agent", one.agent).put("name", Value(one.name)).put("state", Value(state_of(one))).done());
  }
  return shape(key).put("agents", Value(std::move(agents))).done();
}

Value shape(const store::PossibleRecipient& recipient) {
  Object object;
  object.put("agent", recipient.agent).put("name", Value(recipient.name));
  if (!recipient.key) return object.put("statement", Value()).put("said_at", Value()).done();
  return object.put("statement", Value(base64url(recipient.key->statement)))
      .put("said_at", recipient.key->said_at)
      .done();
}

// What the caller says is sealed to one agent: {"generation": 1, "sealed": "..."}.
Result<store::SystemKeyCopy> copy_of(const Value& agent, const Value& said) {
  const auto* generation = said.find("generation");
  const auto* sealed = said.find("sealed");
  const bool formed = said.is(Value::Kind::map) && said.as_map().size() == 2 && generation != nullptr &&
                      generation->is(Value::Kind::int64) && sealed != nullptr && sealed->is(Value::Kind::string);
  if (!formed) return fail(Errc::invalid, "must give each agent a generation and what is sealed, and nothing else");
  if (generation->as_int() < 1 || generation->as_int() > INT32_MAX)
    return fail(Errc::invalid, "must have generations that count from 1");
  auto bytes = from_base64url(sealed->as_string());
  const bool fits = bytes && bytes->size() >= sealing::kPadding + crypto::kHpkeOverhead &&
                    bytes->size() <= sealing::kMostSealed &&
                    (bytes->size() - crypto::kHpkeOverhead) % sealing::kPadding == 0;
  if (!fits) return fail(Errc::invalid, "must be what `sallyport system-keys set` sealed, in base64url");
  return store::SystemKeyCopy{AgentId(agent.as_string()), static_cast<std::uint32_t>(generation->as_int()),
                              *std::move(bytes)};
}

Result<std::vector<store::SystemKeyCopy>> copies_of(const Call& call) {
  std::vector<store::SystemKeyCopy> copies;
  const auto& sealed = call.body.find("sealed")->as_map();
  if (sealed.size() > sealing::kMostRecipients)
    return fail(Errc::invalid, fmt::format("must be for at most {} agents", sealing::kMostRecipients));
  for (const auto& [agent, said] : sealed) {
    SP_TRY(auto copy, copy_of(agent, said));
    copies.push_back(std::move(copy));
  }
  return copies;
}

std::vector<std::string> value_names(const Call& call) {
  std::vector<std::string> names;
  for (const auto& name : call.body.find("values")->as_list()) names.push_back(name.as_string());
  std::ranges::sort(names);
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  return names;
}

store::SystemKey key_of(const Services& services, const Call& call, GroupId group) {
  return {.org = call.caller.org,
          .name = call.path.at(Value("system_key")).as_string(),
          .group = std::move(group),
          .version = static_cast<std::uint64_t>(call.required_integer("version")),
          .values = value_names(call),
          .set_by = call.caller.user,
          .set_at = services.clock.wall()};
}

asio::awaitable<Result<Answer>> shown(Services& services, OrgId org, std::string name) {
  SP_CO_TRY(const auto key, co_await services.stores.system_keys.find(org, name));
  SP_CO_TRY(const auto holders, co_await services.stores.system_keys.holders(org, name));
  co_return ok(shape(key, holders));
}

asio::awaitable<Result<Answer>> list_system_keys(Services& services, Call call) {
  SP_CO_TRY(const auto page,
            co_await services.stores.system_keys.list(call.caller.org, {.after = "", .limit = store::kMaxPage}));
  co_return ok(page_value(page, [](const auto& one) { return shape(one).done(); }));
}

asio::awaitable<Result<Answer>> get_system_key(Services& services, Call call) {
  co_return co_await shown(services, call.caller.org, call.path.at(Value("system_key")).as_string());
}

asio::awaitable<Result<Answer>> set_system_key(Services& services, Call call) {
  SP_CO_TRY(auto group, co_await group_of(services, call));
  SP_CO_CHECK(co_await services.stores.groups.find(call.caller.org, group));
  auto copies = copies_of(call);
  if (!copies) co_return unfit("/sealed", std::move(copies).error().message);
  const auto key = key_of(services, call, std::move(group));
  for (auto& copy : *copies) {
    auto identity = keys::copy_identity(call.caller.org, key.name, key.version, copy.agent);
    SP_CO_TRY(copy.sealed_copy, co_await services.envelope.seal(std::move(identity), copy.sealed_copy));
  }
  Said said{"group:" + key.group.value,
            {{Value("version"), Value(key.version)}, {Value("agents"), Value(std::uint64_t{copies->size()})}}};
  auto note = note_of<>(services, call, std::move(said));
  auto put = co_await services.stores.system_keys.put(call.caller.org, key, *std::move(copies), std::move(note));
  if (!put && put.error().code == Errc::invalid) co_return unfit("/sealed", std::move(put).error().message);
  if (!put) co_return std::unexpected(std::move(put).error());
  if (services.system_keys_changed) services.system_keys_changed(call.caller.org, key.group);
  co_return co_await shown(services, call.caller.org, key.name);
}

asio::awaitable<Result<Answer>> remove_system_key(Services& services, Call call) {
  auto name = call.path.at(Value("system_key")).as_string();
  auto note = note_of<store::SystemKey>(
      services, call, {}, [](const store::SystemKey& removed) { return Said{"group:" + removed.group.value}; });
  SP_CO_TRY(const auto key,
            co_await services.stores.system_keys.remove(call.caller.org, std::move(name), std::move(note)));
  if (services.system_keys_changed) services.system_keys_changed(call.caller.org, key.group);
  co_return no_content();
}

asio::awaitable<Result<Answer>> list_sealing_keys(Services& services, Call call) {
  const GroupId group(call.query_text("group").value_or(""));  // the query needs one
  SP_CO_TRY(const auto recipients, co_await services.stores.system_keys.recipients(call.caller.org, group));
  ValueList items;
  for (const auto& one : recipients) items.push_back(shape(one));
  co_return ok(page_value(std::move(items), ""));
}

std::string fault_of_name(std::string_view text) {
  return sealing::is_key_name(text) ? ""
                                    : "must be 1 to 64 lower-case letters, digits and inner hyphens, a letter first";
}

static_assert(sealing::kMostSystemKeys <= store::kMaxPage);  // the list is one page
constexpr std::array kPath{
    Field{.name = "system_key", .presence = Presence::required, .least = 1, .most = 64, .fault = fault_of_name}};
constexpr std::array kGroupQuery{id_field("group", kGroupIds)};
constexpr std::array kOrderFields{id_field("group", kGroupIds, Presence::optional),
                                  Field{.name = "group_name", .most = 63},
                                  Field{.name = "version",
                                        .type = FieldType::integer,
                                        .presence = Presence::required,
                                        .least = 1,
                                        .most = 9'007'199'254'740'991},
                                  Field{.name = "values",
                                        .type = FieldType::texts,
                                        .presence = Presence::required,
                                        .least = 1,
                                        .most = sealing::kMostValues,
                                        .fault = fault_of_name},
                                  Field{.name = "sealed", .type = FieldType::object, .presence = Presence::required}};
constexpr Schema kOrder{"SystemKeyOrder", kOrderFields};

constexpr std::array kRoutes{
    Route{.id = "list_system_keys",
          .pattern = "/v1/system-keys",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::agents_read,
          .response = "SystemKeyPage",
          .handler = list_system_keys},
    Route{.id = "get_system_key",
          .pattern = "/v1/system-keys/{system_key}",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::agents_read,
          .path = kPath,
          .response = "SystemKey",
          .handler = get_system_key},
    Route{.id = "set_system_key",
          .method = http::Method::put,
          .pattern = "/v1/system-keys/{system_key}",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::agents_write,
          .path = kPath,
          .body = Body::json,
          .request = &kOrder,
          .response = "SystemKey",
          .repeat = Repeat::idempotent,
          .audited = "system_key.set",
          .body_limit = kBody,
          .handler = set_system_key},
    Route{.id = "remove_system_key",
          .method = http::Method::del,
          .pattern = "/v1/system-keys/{system_key}",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::agents_write,
          .path = kPath,
          .repeat = Repeat::idempotent,
          .audited = "system_key.remove",
          .handler = remove_system_key},
    Route{.id = "list_sealing_keys",
          .pattern = "/v1/sealing-keys",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::agents_read,
          .query = kGroupQuery,
          .response = "SealingKeyPage",
          .handler = list_sealing_keys},
};

}  // namespace

std::span<const Route> system_key_routes() { return kRoutes; }

}  // namespace sallyport::api
