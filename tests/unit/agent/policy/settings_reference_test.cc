// The tables of settings in docs/connectors are made from connections.schema.json, whose keys are the reader's
// (schema_test.cc).
#include "shared/base/json.h"
#include "tests/support/published.h"

#include <catch2/catch.hpp>

#include <fmt/format.h>

#include <map>
#include <set>
#include <vector>

using namespace sallyport;

namespace {

// What of the schema stands on which page, in this order.
struct Page {
  std::string name;
  std::vector<std::string> definitions;
};
const std::vector<Page>& pages() {
  static const std::vector<Page> kPages{{"file", {"file"}},
                                        {"sqlite", {"sqlite"}},
                                        {"postgres", {"postgres"}},
                                        {"mysql", {"mysql"}},
                                        {"odbc", {"odbc"}},
                                        {"ldap", {"ldap"}},
                                        {"ssh", {"ssh"}},
                                        {"http",
                                         {"http", "http_basic", "http_bearer", "http_oauth2", "http_authorization_code",
                                          "http_ntlm", "http_negotiate", "http_header", "http_proxy"}},
                                        {"ftps", {"ftps"}},
                                        {"smb", {"smb"}},
                                        {"smtp", {"smtp"}},
                                        {"amqp", {"amqp"}},
                                        {"kafka", {"kafka"}},
                                        {"http-listen", {"http-listen", "listen_sender"}}};
  return kPages;
}

Value schema() {
  auto value = parse_json(test::published("docs/schemas/connections.schema.json"));
  REQUIRE(value);
  return *value;
}

std::string word(const Value& owner, std::string_view name) {
  const auto* found = owner.find(name);
  return found != nullptr && found->kind() == Value::Kind::string ? found->as_string() : "";
}

// A field with what it refers to; what stands beside a reference counts more.
class Setting {
 public:
  Setting(const Value& schema, const Value& field) : field_(field) {
    constexpr std::string_view kPrefix = "#/$defs/";
    if (const auto ref = word(field, "$ref"); ref.starts_with(kPrefix))
      base_ = schema.find("$defs")->find(ref.substr(kPrefix.size()));
  }
  const Value* find(std::string_view name) const {
    const auto* own = field_.find(name);
    return own == nullptr && base_ != nullptr ? base_->find(name) : own;
  }
  std::string text(std::string_view name) const {
    const auto* found = find(name);
    return found != nullptr && found->kind() == Value::Kind::string ? found->as_string() : "";
  }

 private:
  const Value& field_;
  const Value* base_ = nullptr;
};

std::string takes(const Setting& setting) {
  if (const auto* constant = setting.find("const")) return fmt::format("`{}`", constant->as_string());
  if (const auto* words = setting.find("enum")) {
    std::string list;
    for (const auto& one : words->as_list()) list += (list.empty() ? "`" : ", `") + one.as_string() + "`";
    return list;
  }
  const auto* type = setting.find("type");
  if (type == nullptr) return "a mapping";
  if (type->kind() == Value::Kind::list) return "a size";  // an integer, or text with a unit
  if (setting.text("pattern").contains("(ms|s|m")) return "a duration";
  const auto name = type->as_string();
  if (name == "integer" && setting.find("maximum") != nullptr)
    return fmt::format("{} to {}", to_json(*setting.find("minimum")), to_json(*setting.find("maximum")));
  if (name == "string") return "text";
  if (name == "boolean") return "true or false";
  if (name == "array") return "a list";
  return name == "object" ? "a mapping" : "an integer";
}

// A secret is given in one of three ways, which share a row.
std::string shown_name(const Value& properties, const std::string& name) {
  if (!name.ends_with("_file")) return fmt::format("`{}`", name);
  const auto stem = name.substr(0, name.size() - 5);
  if (properties.find(stem + "_env") == nullptr) return fmt::format("`{}`", name);
  return fmt::format("`{0}_file`, `{0}_env` or `{0}_system_key`", stem);
}

bool shares_a_row(const Value& properties, const std::string& name) {
  for (const std::string_view end : {"_env", "_system_key"}) {
    if (name.ends_with(end) && properties.find(name.substr(0, name.size() - end.size()) + "_file") != nullptr)
      return true;
  }
  return false;
}

std::string meaning_of_secret(std::string meaning) {
  constexpr std::string_view kFile = "a file of this machine that nobody else can read";
  const auto from = meaning.find(kFile);
  REQUIRE(from != std::string::npos);
  return meaning.replace(from, kFile.size(),
                         "a file that nobody else can read, a variable of the agent's environment, or a system key");
}

std::string default_of(const Setting& setting, bool required) {
  if (required) return "**required**";
  const auto* found = setting.find("default");
  if (found == nullptr) return "";
  return fmt::format("`{}`", found->kind() == Value::Kind::string ? found->as_string() : to_json(*found));
}

// In the order of the file, which the parser does not keep.
std::vector<std::string> in_order(const std::string& definition, const Value& properties) {
  const auto text = test::published("docs/schemas/connections.schema.json");
  const auto from = text.find(fmt::format("\n    \"{}\": {{", definition));
  REQUIRE(from != std::string::npos);
  std::map<std::size_t, std::string> places;
  for (const auto& [name, value] : properties.as_map())
    places[text.find(fmt::format("\n        \"{}\": {{", name.as_string()), from)] = name.as_string();
  std::vector<std::string> names;
  for (auto& [place, name] : places) names.push_back(name);
  CHECK(names.size() == properties.as_map().size());
  return names;
}

std::string title_of(const std::string& page, const std::string& definition, const Value& made) {
  if (page == definition) return "";
  const auto description = word(made, "description");
  REQUIRE_FALSE(description.empty());
  return fmt::format("\n{}:\n", description);
}

std::string table(const Value& schema, const std::string& page, const std::string& definition) {
  const auto* made = schema.find("$defs")->find(definition);
  REQUIRE(made != nullptr);
  const auto& properties = *made->find("properties");
  std::set<std::string> required;
  for (const auto& name : made->find("required")->as_list()) required.insert(name.as_string());
  if (const auto* ways = made->find("anyOf")) {  // of a secret
    for (const auto& way : ways->as_list()) required.insert(way.find("required")->as_list().front().as_string());
  }
  auto out = title_of(page, definition, *made) + "\n| setting | takes | default | meaning |\n|---|---|---|---|\n";
  for (const auto& name : in_order(definition, properties)) {
    if (shares_a_row(properties, name)) continue;
    const Setting setting(schema, *properties.find(name));
    const auto shown = shown_name(properties, name);
    const auto meaning =
        shown.contains(" or ") ? meaning_of_secret(setting.text("description")) : setting.text("description");
    INFO(definition << "." << name);
    CHECK((!meaning.empty() || setting.find("const") != nullptr));
    out += fmt::format("| {} | {} | {} | {} |\n", shown, takes(setting), default_of(setting, required.contains(name)),
                       meaning);
  }
  return out;
}

std::string settings(const Value& schema, const Page& page) {
  std::string out;
  for (const auto& definition : page.definitions) out += table(schema, page.name, definition);
  return out;
}

}  // namespace

TEST_CASE("the published settings are those of connections.schema.json", "[policy][schema][golden]") {
  const auto made = schema();
  for (const auto& page : pages())
    test::check_published_section("docs/connectors/" + page.name + ".md", "settings", settings(made, page));
}

TEST_CASE("every kind of connection has its settings on a page", "[policy][schema]") {
  std::set<std::string> shown;
  for (const auto& page : pages()) shown.insert(page.definitions.begin(), page.definitions.end());
  const auto made = schema();
  for (const auto& [name, definition] : made.find("$defs")->as_map()) {
    INFO(name.as_string());
    CHECK((definition.find("properties") == nullptr || shown.contains(name.as_string())));
  }
}
