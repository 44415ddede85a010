#include "relay/api/inputs.h"

#include "relay/api/problems.h"
#include "relay/api/secret_member.h"
#include "shared/base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::api {
namespace {

constexpr std::array<std::string_view, 3> kYamlTypes{"application/yaml", "text/yaml", "application/x-yaml"};
constexpr JsonLimits kBodyLimits{.max_bytes = 16u << 20, .max_depth = 32};

std::unexpected<http::Problem> refuse(int status, std::string code, std::string detail, Violations errors = {}) {
  return std::unexpected(http::Problem{status, std::move(code), std::move(detail), std::move(errors)});
}

// The media type without its parameters.
std::string_view media_type(const http::RequestHead& head) {
  const auto* header = head.headers.find("Content-Type");
  if (header == nullptr) return {};
  std::string_view type(*header);
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  return type;
}

bool is_yaml(const http::RequestHead& head) {
  return std::ranges::any_of(kYamlTypes, [&](auto type) { return http::equal_names(type, media_type(head)); });
}

// An order that sets something says what; a POST may say nothing beyond its path.
bool needs_body(const Route& route) { return route.method == http::Method::put || route.method == http::Method::patch; }

std::expected<void, http::Problem> check_media_type(const http::RequestHead& head, Body body) {
  if (!head.has_body()) return {};
  if (body == Body::none) return refuse(400, "unexpected_body", "This call takes no body.");
  if (http::equal_names(media_type(head), "application/json")) return {};
  if (body == Body::recipe && is_yaml(head)) return {};
  return refuse(415, "media_type",
                body == Body::recipe ? "The body must be application/json or application/yaml."
                                     : "The body must be application/json.");
}

std::expected<ValueMap, http::Problem> read_path(const Match& match) {
  ValueMap path;
  for (std::size_t i = 0; i < match.parameters.size(); ++i) {
    const auto& field = match.route->path[i];
    auto value = read_text_value(field, match.parameters[i]);
    if (!value) return std::unexpected(to_problem({Errc::not_found, {}}));
    path.emplace(Value(field.name), *std::move(value));
  }
  return path;
}

std::string unknown_parameter(const Route& route) {
  if (route.query.empty()) return "is unknown; this call takes no query parameters";
  std::vector<std::string_view> names;
  for (const auto& field : route.query) names.push_back(field.name);
  return fmt::format("is unknown; known ones are: {}", fmt::join(names, ", "));
}

std::expected<ValueMap, http::Problem> read_query(const http::RequestHead& head, const Route& route) {
  ValueMap query;
  Violations found;
  for (const auto& [name, text] : head.query) {
    const auto field = std::ranges::find(route.query, name, &Field::name);
    if (field == route.query.end()) {
      if (route.other_query == OtherQuery::ignored) continue;
      found.push_back({"?", unknown_parameter(route)});
    } else if (auto value = read_text_value(*field, text); !value) {
      found.push_back({"?" + std::string(field->name), value.error()});
    } else if (!query.emplace(Value(name), *std::move(value)).second) {
      found.push_back({"?" + std::string(field->name), "is there twice"});
    }
  }
  for (const auto& field : route.query) {
    const bool given = std::ranges::find(head.query, field.name, &http::QueryParameter::name) != head.query.end();
    if (field.presence == Presence::required && !given) {
      found.push_back({"?" + std::string(field.name), "is missing"});
    }
  }
  if (found.empty()) return query;
  found.resize(std::min(found.size(), kMostViolations));
  return refuse(400, "invalid_query", "The query is wrong.", std::move(found));
}

const Field* secret_of(const Schema& schema) {
  const auto found = std::ranges::find(schema.fields, Format::secret, &Field::format);
  return found == schema.fields.end() ? nullptr : &*found;
}

// What is wrong with it, in place of it.
std::expected<Secret, std::string> secret_in(const Field& field, const std::optional<SecretMember>& taken,
                                             const Value& body) {
  if (!taken || !taken->is_member_of(body))
    return std::unexpected("must stand there once, under its name as it is written here");
  auto text = taken->text();
  if (!text) return std::unexpected("is no JSON text");
  if (auto fault = fault_of_text(field, text->reveal()); !fault.empty()) return std::unexpected(std::move(fault));
  return *std::move(text);
}

}  // namespace

std::expected<Inputs, http::Problem> read_inputs(const http::RequestHead& head, const Match& match) {
  auto path = read_path(match);
  if (!path) return std::unexpected(std::move(path).error());
  auto query = read_query(head, *match.route);
  if (!query) return std::unexpected(std::move(query).error());
  if (auto type = check_media_type(head, match.route->body); !type) return std::unexpected(std::move(type).error());
  return Inputs{*std::move(path), *std::move(query)};
}

std::expected<ReadBody, http::Problem> read_body(const Route& route, http::Request& request) {
  if (route.body == Body::none) return ReadBody();
  const auto* field = secret_of(*route.request);
  const auto taken = field == nullptr ? std::nullopt : SecretMember::take(request.body, field->name);
  Value body{ValueMap{}};
  if (route.body == Body::recipe && is_yaml(request.head)) {
    body = Value(ValueMap{{Value("yaml"), Value(request.body)}});
  } else if (request.body.empty() && needs_body(route)) {
    return refuse(400, "body_missing", "A JSON body is needed.");
  } else if (!request.body.empty()) {
    auto parsed = parse_json(request.body, kBodyLimits);
    if (!parsed) return refuse(400, "not_json", "The body is not acceptable JSON: " + parsed.error().message + ".");
    body = *std::move(parsed);
  }
  auto found = check_object(*route.request, body);
  std::shared_ptr<const Secret> secret;
  if (found.empty() && field != nullptr && body.find(field->name) != nullptr) {
    auto read = secret_in(*field, taken, body);
    if (!read) found.push_back({fmt::format("/{}", field->name), std::move(read).error()});
    if (read) secret = std::make_shared<const Secret>(*std::move(read));
  }
  if (found.empty()) return ReadBody{std::move(body), std::move(secret)};
  return refuse(422, "invalid", "The body does not fit.", std::move(found));
}

}  // namespace sallyport::api
