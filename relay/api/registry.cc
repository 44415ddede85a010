#include "relay/api/registry.h"

#include "relay/api/resources.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::api {
namespace {

using domain::Role;

// Does every role from owner down to the least one have the scope, and no lesser one?
bool agrees_with_matrix(domain::Scope scope, Role least) {
  return std::ranges::all_of(std::initializer_list<Role>{Role::owner, Role::editor, Role::viewer},
                             [&](Role role) { return domain::scopes_of(role).contains(scope) == (role <= least); });
}

std::string fault_in_access(const Route& route) {
  const bool tenant = route.reach == Reach::organisation;
  if (tenant != route.least_role.has_value()) return "a least role belongs to organisation routes, and to all of them";
  if ((tenant || route.reach == Reach::platform) != route.scope.has_value()) return "has a wrong number of scopes";
  if (tenant && !agrees_with_matrix(*route.scope, *route.least_role)) return "scope and least role disagree";
  if (route.reach == Reach::platform &&
      !(domain::scopes_of(Role::viewer, domain::PlatformRights::admin).contains(*route.scope) &&
        !domain::scopes_of(Role::owner).contains(*route.scope))) {
    return "a platform route needs a platform scope";
  }
  return {};
}

std::string fault_in_parameters(const Route& route) {
  const auto names = parameters_of(route.pattern);
  if (!std::ranges::equal(names, route.path, {}, {}, &Field::name)) return "path parameters differ from the pattern";
  if (!route.pattern.starts_with('/') || (route.pattern.size() > 1 && route.pattern.ends_with('/')))
    return "bad pattern";
  return {};
}

std::string fault_in_effect(const Route& route) {
  const bool safe_method = route.method == http::Method::get;
  const bool safe = route.repeat == Repeat::safe;
  if (safe_method && !safe) return "a GET must be safe";
  if (safe != route.audited.empty()) return "exactly the routes that change something are audited";
  if ((route.reach == Reach::open || route.reach == Reach::authenticated) && !safe) return "a change needs a scope";
  if ((route.body == Body::none) != (route.request == nullptr)) return "body and request schema disagree";
  if (route.handler == nullptr) return "has no handler";
  return {};
}

}  // namespace

std::vector<std::string_view> parameters_of(std::string_view pattern) {
  std::vector<std::string_view> names;
  for (auto open = pattern.find('{'); open != std::string_view::npos; open = pattern.find('{', open + 1)) {
    names.push_back(pattern.substr(open + 1, pattern.find('}', open) - open - 1));
  }
  return names;
}

std::string fault_in(const Route& route) {
  for (const auto check : {fault_in_access, fault_in_parameters, fault_in_effect}) {
    if (auto fault = check(route); !fault.empty()) return fmt::format("route {}: {}", route.id, fault);
  }
  return {};
}

const std::vector<Route>& routes() {
  static const std::vector<Route> all = [] {
    std::vector<Route> out;
    for (const auto part : {meta_routes(),          link_routes(),       organisation_routes(),   key_routes(),
                            own_key_routes(),       erasure_routes(),    export_routes(),         retention_routes(),
                            archive_routes(),       system_key_routes(), user_routes(),           token_routes(),
                            group_routes(),         agent_routes(),      enrolment_routes(),      connection_routes(),
                            authorization_routes(), recipe_routes(),     recipe_version_routes(), job_routes(),
                            job_history_routes(),   webhook_routes(),    tunnel_routes(),         audit_routes()}) {
      out.insert(out.end(), part.begin(), part.end());
    }
    return out;
  }();
  return all;
}

}  // namespace sallyport::api
