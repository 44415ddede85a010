#include "relay/api/fields.h"
#include "relay/api/notes.h"
#include "relay/api/replies.h"
#include "relay/api/resources.h"
#include "relay/api/services.h"
#include "relay/api/shapes.h"
#include "shared/crypto/new_id.h"

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

asio::awaitable<Result<Answer>> list_groups(Services& services, Call call) {
  if (const auto name = call.query_text("name")) {
    auto group = co_await services.stores.groups.find_by_name(call.caller.org, *name);
    if (!group && group.error().code != Errc::not_found) co_return std::unexpected(std::move(group).error());
    store::Page<store::Group> page;
    if (group) page.items.push_back(*std::move(group));
    co_return ok(page_value(page, [](const auto& one) { return shape(one); }));
  }
  SP_CO_TRY(const auto page, co_await services.stores.groups.list(call.caller.org, call.page()));
  co_return ok(page_value(page, [](const auto& one) { return shape(one); }));
}

asio::awaitable<Result<Answer>> get_group(Services& services, Call call) {
  SP_CO_TRY(const auto group, co_await services.stores.groups.find(call.caller.org, call.id<GroupId>("group")));
  co_return ok(shape(group));
}

asio::awaitable<Result<Answer>> create_group(Services& services, Call call) {
  const store::Group group{crypto::new_id<GroupId>(services.clock), call.caller.org, call.required_text("name"),
                           services.clock.wall()};
  auto note = note_of<>(services, call, {"group:" + group.id.value, {{Value("name"), Value(group.name)}}});
  SP_CO_CHECK(co_await services.stores.groups.add(call.caller.org, group, std::move(note)));
  co_return created("/v1/groups/" + group.id.value, shape(group));
}

asio::awaitable<Result<Answer>> remove_group(Services& services, Call call) {
  SP_CO_CHECK(co_await services.stores.groups.remove(call.caller.org, call.id<GroupId>("group"), services.clock.wall(),
                                                     note_of<>(services, call)));
  co_return no_content();
}

constexpr std::array kNewFields{
    Field{.name = "name", .presence = Presence::required, .least = 1, .most = 63, .format = Format::slug}};
constexpr Schema kNew{"NewGroup", kNewFields};
constexpr std::array kListQuery{cursor_field(kGroupIds), kLimit, Field{.name = "name", .most = 63}};

constexpr std::array kRoutes{
    Route{.id = "list_groups",
          .pattern = "/v1/groups",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::agents_read,
          .query = kListQuery,
          .response = "GroupPage",
          .handler = list_groups},
    Route{.id = "create_group",
          .method = http::Method::post,
          .pattern = "/v1/groups",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::agents_write,
          .body = Body::json,
          .request = &kNew,
          .response = "Group",
          .repeat = Repeat::keyed,
          .audited = "group.create",
          .handler = create_group},
    Route{.id = "get_group",
          .pattern = "/v1/groups/{group}",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::agents_read,
          .path = kGroupPath,
          .response = "Group",
          .handler = get_group},
    Route{.id = "remove_group",
          .method = http::Method::del,
          .pattern = "/v1/groups/{group}",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::agents_write,
          .path = kGroupPath,
          .repeat = Repeat::idempotent,
          .audited = "group.remove",
          .handler = remove_group},
};

}  // namespace

std::span<const Route> group_routes() { return kRoutes; }

}  // namespace sallyport::api
