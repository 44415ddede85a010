#include "relay/api/openapi_document.h"

#include "relay/api/registry.h"
#include "shared/base/json.h"

#include <catch2/catch.hpp>

#include <set>

// docs/api/openapi.yaml and the registry say the same, in both directions.
using namespace sallyport;
using namespace sallyport::api;

namespace {

Value document() {
  auto parsed = parse_json(openapi_json());
  REQUIRE(parsed);
  return *parsed;
}

const Value& at(const Value& value, std::string_view member) {
  const auto* found = value.find(member);
  if (found == nullptr) throw std::runtime_error("the document lacks " + std::string(member));
  return *found;
}

std::string text(const Value& value, std::string_view member) {
  const auto* found = value.find(member);
  return found == nullptr ? std::string() : found->as_string();
}

std::string lower(std::string_view word) {
  std::string out;
  for (const char c : word) out += static_cast<char>(c + ('a' - 'A'));
  return out;
}

std::string_view name_of(Reach reach) {
  constexpr std::string_view names[] = {"open", "authenticated", "organisation", "platform"};
  return names[static_cast<int>(reach)];
}
std::string_view name_of(Repeat repeat) {
  constexpr std::string_view names[] = {"safe", "idempotent", "keyed", "once"};
  return names[static_cast<int>(repeat)];
}

std::string ref_name(std::string_view ref) { return std::string(ref.substr(ref.rfind('/') + 1)); }

void check_members(const Schema& declared, const Value& schema, const Value& schemas);

void check_limits(const Field& field, const Value& schema, const Value& schemas) {
  INFO("field " << field.name);
  if (field.members != nullptr) {
    CHECK(ref_name(text(schema, "$ref")) == field.members->name);
    return check_members(*field.members, at(schemas, field.members->name), schemas);
  }
  switch (field.type) {
    case FieldType::integer:
      CHECK(text(schema, "type") == "integer");
      CHECK(at(schema, "minimum").as_int() == field.least);
      CHECK(at(schema, "maximum").as_int() == field.most);
      return;
    case FieldType::boolean: CHECK(text(schema, "type") == "boolean"); return;
    case FieldType::object: CHECK(text(schema, "type") == "object"); return;
    case FieldType::texts:
      CHECK(text(schema, "type") == "array");
      CHECK(at(schema, "maxItems").as_int() == field.most);
      return;
    case FieldType::text: break;
  }
  if (field.presence == Presence::clearable) {
    CHECK(at(schema, "type") == Value(ValueList{Value("string"), Value("null")}));
  } else {
    CHECK(text(schema, "type") == "string");
  }
  if (field.format == Format::id) {
    CHECK(text(schema, "pattern").starts_with("^" + std::string(field.among[0])));
  } else if (field.format == Format::cursor) {
    CHECK(at(schema, "maxLength").as_int() == field.most);
  } else if (!field.among.empty()) {
    CHECK(at(schema, "enum").as_list().size() == field.among.size());
  } else if (field.format != Format::time && field.format != Format::duration) {
    CHECK(at(schema, "maxLength").as_int() == field.most);
  }
}

void check_members(const Schema& declared, const Value& schema, const Value& schemas) {
  CHECK_FALSE(at(schema, "additionalProperties").as_bool());
  std::set<std::string> required, properties;
  if (const auto* list = schema.find("required")) {
    for (const auto& name : list->as_list()) required.insert(name.as_string());
  }
  if (const auto* map = schema.find("properties")) {
    for (const auto& [name, _] : map->as_map()) properties.insert(name.as_string());
  }
  CHECK(properties.size() == declared.fields.size());
  for (const auto& field : declared.fields) {
    REQUIRE(properties.contains(std::string(field.name)));
    CHECK(required.contains(std::string(field.name)) == (field.presence == Presence::required));
    check_limits(field, at(at(schema, "properties"), field.name), schemas);
  }
}

void check_parameters(const Route& route, const Value& operation) {
  std::map<std::string, const Field*> expected;
  for (const auto& field : route.path) expected["path " + std::string(field.name)] = &field;
  for (const auto& field : route.query) expected["query " + std::string(field.name)] = &field;
  std::set<std::string> referenced;
  if (const auto* parameters = operation.find("parameters")) {
    for (const auto& parameter : parameters->as_list()) {
      if (const auto* ref = parameter.find("$ref")) {
        referenced.insert(ref_name(ref->as_string()));
        continue;
      }
      const auto key = text(parameter, "in") + " " + text(parameter, "name");
      INFO("parameter " << key);
      REQUIRE(expected.contains(key));
      CHECK(at(parameter, "required").as_bool() == (expected[key]->presence == Presence::required));
      check_limits(*expected[key], at(parameter, "schema"), Value());
      expected.erase(key);
    }
  }
  CHECK(expected.empty());
  CHECK(referenced.contains("IdempotencyKey") == (route.repeat == Repeat::keyed));
}

void check_body(const Route& route, const Value& operation, const Value& schemas) {
  const auto* body = operation.find("requestBody");
  REQUIRE((body != nullptr) == (route.body != Body::none));
  if (body == nullptr) return;
  const auto& content = at(*body, "content");
  CHECK((content.find("application/yaml") != nullptr) == (route.body == Body::recipe));
  CHECK(ref_name(text(at(at(content, "application/json"), "schema"), "$ref")) == route.request->name);
  check_members(*route.request, at(schemas, route.request->name), schemas);
}

void check_responses(const Route& route, const Value& operation) {
  const auto& responses = at(operation, "responses");
  bool named = route.response.empty();
  for (const auto& [status, response] : responses.as_map()) {
    if (!status.as_string().starts_with('2')) continue;
    const auto* content = response.find("content");
    const auto* json = content == nullptr ? nullptr : content->find("application/json");
    if (json != nullptr && !route.response.empty())
      named = ref_name(text(at(*json, "schema"), "$ref")) == route.response;
    CHECK(named);
  }
  CHECK(responses.find("default") != nullptr);
  CHECK((responses.find("401") != nullptr) == (route.reach != Reach::open));
  CHECK((responses.find("403") != nullptr) == (route.reach == Reach::organisation || route.reach == Reach::platform));
  if (!route.path.empty()) CHECK(responses.find("404") != nullptr);
}

void collect_refs(const Value& value, std::set<std::string>& out) {
  if (value.is(Value::Kind::list)) {
    for (const auto& item : value.as_list()) collect_refs(item, out);
  } else if (value.is(Value::Kind::map)) {
    for (const auto& [name, member] : value.as_map()) {
      if (name.as_string() == "$ref") out.insert(member.as_string());
      collect_refs(member, out);
    }
  }
}

}  // namespace

TEST_CASE("every route stands in the document as it is declared", "[api][openapi]") {
  const auto doc = document();
  CHECK(text(doc, "openapi") == "3.1.0");
  for (const auto& route : routes()) {
    INFO("route " << route.id);
    const auto* path = at(doc, "paths").find(route.pattern);
    REQUIRE(path != nullptr);
    const auto* operation = path->find(lower(to_string(route.method)));
    REQUIRE(operation != nullptr);
    CHECK(text(*operation, "operationId") == route.id);
    CHECK_FALSE(text(*operation, "summary").empty());
    CHECK(text(*operation, "x-reach") == name_of(route.reach));
    CHECK(text(*operation, "x-repeat") == name_of(route.repeat));
    CHECK(text(*operation, "x-audited") == route.audited);
    CHECK(text(*operation, "x-scope") == (route.scope ? to_string(*route.scope) : ""));
    CHECK(text(*operation, "x-role") == (route.least_role ? to_string(*route.least_role) : ""));
    CHECK((operation->find("security") != nullptr) == (route.reach == Reach::open));
    check_parameters(route, *operation);
    check_body(route, *operation, at(at(doc, "components"), "schemas"));
    check_responses(route, *operation);
  }
}

TEST_CASE("the document has no operation without a route", "[api][openapi]") {
  std::set<std::string> declared;
  for (const auto& route : routes()) declared.insert(lower(to_string(route.method)) + " " + std::string(route.pattern));
  const auto doc = document();
  for (const auto& [path, operations] : at(doc, "paths").as_map()) {
    for (const auto& [method, _] : operations.as_map()) {
      INFO(method.as_string() << " " << path.as_string());
      CHECK(declared.erase(method.as_string() + " " + path.as_string()) == 1);
    }
  }
  CHECK(declared.empty());
}

TEST_CASE("every reference of the document leads somewhere, and every component is used", "[api][openapi]") {
  const auto doc = document();
  std::set<std::string> referenced;
  collect_refs(doc, referenced);
  std::set<std::string> defined;
  for (const auto* kind : {"schemas", "responses", "parameters", "headers"}) {
    for (const auto& [name, _] : at(at(doc, "components"), kind).as_map()) {
      defined.insert("#/components/" + std::string(kind) + "/" + name.as_string());
    }
  }
  for (const auto& ref : referenced) {
    INFO(ref);
    CHECK(defined.contains(ref));
  }
  for (const auto& name : defined) {
    INFO(name);
    CHECK(referenced.contains(name));
  }
}
