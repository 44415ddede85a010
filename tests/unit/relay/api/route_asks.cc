#include "tests/unit/relay/api/route_asks.h"

#include "shared/base/json.h"
#include "shared/crypto/new_id.h"
#include "shared/http/types.h"

#include <fmt/format.h>

#include <map>
#include <string_view>

namespace sallyport::test {

using api::Body;
using api::Reach;
using api::Route;
using domain::Role;

namespace {

template <class T>
T absent() {
  return crypto::new_id<T>(SystemClock());
}

// A body that the route takes; throws for a route that has none here.
std::string body_of(const Route& route, const Targets& targets) {
  if (route.body == Body::none) return {};
  const auto unique = targets.user.value.substr(20);
  const auto yaml = recipe_yaml("fresh-recipe-" + std::to_string(std::hash<std::string>()(unique) % 1'000'000));
  const std::map<std::string_view, std::string> bodies = {
      {"create_organisation", fmt::format(R"({{"name":"o{}","owner_name":"A","owner_email":"a@b.test"}})", unique)},
      {"rename_organisation", fmt::format(R"({{"name":"r{}"}})", unique)},
      {"set_retention", R"({"payload":"45d","shorten":"confirmed"})"},
      {"set_archive", R"({"place":"local"})"},
      {"set_platform_retention", R"({"payload":"90d","shorten":"confirmed"})"},
      {"add_user", fmt::format(R"({{"name":"N","email":"{}@y.test","role":"viewer"}})", unique)},
      {"change_user_role", R"({"role":"editor"})"},
      {"rotate_keys", "{}"},
      {"rotate_platform_keys", "{}"},
      {"erase_user", R"({"confirm":"erase"})"},
      {"erase_own_organisation", R"({"confirm":"erase","name":"a"})"},
      {"erase_organisation", fmt::format(R"({{"confirm":"erase","name":"{}"}})", targets.organisation.value)},
      {"export_organisation", "{}"},
      {"export_user", "{}"},
      {"set_system_key",
       fmt::format(R"({{"group":"{}","version":1,"values":["password"],"sealed":{{}}}})", targets.group.value)},
      {"attach_own_key", R"({"kind":"file","name":"one"})"},
      {"create_token", R"({"name":"t"})"},
      {"create_group", fmt::format(R"({{"name":"g{}"}})", std::hash<std::string>()(unique) % 1'000'000)},
      {"rename_agent", R"({"name":"renamed"})"},
      {"revoke_agent", "{}"},
      {"move_agent", fmt::format(R"({{"group":"{}"}})", targets.group.value)},
      {"create_enrolment_token", R"({"group_name":"dc1"})"},
      {"apply_recipe", to_json(Value(ValueMap{{Value("yaml"), Value(yaml)}}))},
      {"validate_recipe", to_json(Value(ValueMap{{Value("yaml"), Value(yaml)}}))},
      {"activate_recipe", R"({"version":2})"},
      {"deactivate_recipe", "{}"},
      {"start_job", fmt::format(R"({{"recipe":"{}"}})", targets.recipe.value)},
      {"cancel_job", "{}"},
      {"rerun_job", "{}"},
      {"create_tunnel", fmt::format(R"({{"name":"t{}","group_name":"dc1","target":"db.internal:5432"}})",
                                    std::hash<std::string>()(unique) % 1'000'000)},
      {"change_tunnel", R"({"limits":{"connections":7}})"},
      {"pause_tunnel", "{}"},
      {"resume_tunnel", "{}"},
      {"begin_authorization", fmt::format(R"({{"agent":"{}","connection":"erp-api"}})", targets.agent.value)},
      {"check_tunnel", "{}"},
      {"create_webhook", fmt::format(R"({{"recipe":"{}"}})", targets.recipe.value)},
      {"rotate_webhook", "{}"}};
  return bodies.at(route.id);
}

}  // namespace

Targets absent_targets() {
  return {absent<UserId>(),    absent<ApiTokenId>(),  absent<GroupId>(),
          absent<AgentId>(),   absent<EnrolmentId>(), absent<RecipeId>(),
          absent<RecipeId>(),  absent<JobId>(),       absent<JobId>(),
          absent<TunnelId>(),  absent<TunnelId>(),    absent<OrgId>(),
          absent<ErasureId>(), "no-such-key",         absent<authorizations::AuthorizationId>(),
          absent<WebhookId>()};
}

bool ends_its_caller(const Route& route) { return route.id == "erase_own_organisation"; }

std::string path_of(const Route& route, const Targets& targets) {
  const std::map<std::string_view, std::string> values = {
      {"user", targets.user.value},
      {"token", targets.token.value},
      {"group", targets.group.value},
      {"agent", targets.agent.value},
      {"enrolment_token", targets.enrolment_token.value},
      {"recipe", route.id == "remove_recipe" ? targets.idle_recipe.value : targets.recipe.value},
      {"version", "1"},
      {"job", route.id == "rerun_job" ? targets.ended_job.value : targets.job.value},
      {"organisation", targets.organisation.value},
      {"erasure", targets.erasure.value},
      {"authorization", targets.authorization.value},
      {"webhook", targets.webhook.value},
      {"system_key", targets.system_key + (route.id == "set_system_key" ? "-new" : "")},
      {"tunnel", route.id == "resume_tunnel" ? targets.paused_tunnel.value : targets.tunnel.value}};
  std::string path(route.pattern);
  for (const auto name : api::parameters_of(route.pattern)) {
    const auto placeholder = "{" + std::string(name) + "}";
    path.replace(path.find(placeholder), placeholder.size(), values.at(name));
  }
  if (route.id == "list_sealing_keys") return path + "?group=" + targets.group.value;
  if (route.id == "come_back") return path + "?code=c&state=" + std::string(kStateOfTest);
  if (route.id == "detach_own_key") return path + "?confirm=confirmed";
  return path + (route.id == "diff_recipe_versions" ? "?from=1&to=2" : "");
}

Ask ask_for(const Route& route, const Targets& targets, std::string token) {
  Ask ask{std::string(to_string(route.method)), path_of(route, targets), std::move(token), body_of(route, targets)};
  if (route.id == "open_link")
    ask.headers = {"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
                   "Sec-WebSocket-Protocol: sallyport.link.v1"};
  return ask;
}

bool allows(const Route& route, std::optional<Role> role, bool platform_admin) {
  switch (route.reach) {
    case Reach::open: return true;
    case Reach::authenticated: return role.has_value();
    case Reach::organisation: return role && route.least_role && *role <= *route.least_role;
    case Reach::platform: return platform_admin;
  }
  return false;
}

}  // namespace sallyport::test
