#include "relay/api/schema.h"

#include "shared/base/json.h"

#include <catch2/catch.hpp>

#include <array>

using namespace sallyport;
using namespace sallyport::api;

namespace {

constexpr std::array<std::string_view, 2> kColours{"red", "green"};
constexpr std::array<std::string_view, 1> kPrefix{"agt_"};
constexpr std::array<std::string_view, 3> kParts{"#", "agt_", "*"};

std::string even(std::string_view text) { return text.size() % 2 == 0 ? "" : "must be even"; }

constexpr std::array kInnerFields{
    Field{.name = "most", .type = FieldType::integer, .presence = Presence::required, .least = 1, .most = 9},
    Field{.name = "word", .fault = even}};
constexpr Schema kInner{"Inner", kInnerFields};
constexpr std::array kFields{
    Field{.name = "name", .presence = Presence::required, .least = 2, .most = 5},
    Field{.name = "count", .type = FieldType::integer, .least = 1, .most = 10},
    Field{.name = "loud", .type = FieldType::boolean},
    Field{.name = "inputs", .type = FieldType::object},
    Field{.name = "tags", .type = FieldType::texts, .least = 1, .most = 2, .among = kColours},
    Field{.name = "colour", .among = kColours},
    Field{.name = "agent", .format = Format::id, .among = kPrefix},
    Field{.name = "text", .format = Format::document},
    Field{.name = "slug", .format = Format::slug},
    Field{.name = "email", .format = Format::email},
    Field{.name = "at", .format = Format::time},
    Field{.name = "in", .format = Format::duration},
    Field{.name = "limits", .type = FieldType::object, .members = &kInner},
    Field{.name = "end", .presence = Presence::clearable, .format = Format::time},
    Field{.name = "pairs", .type = FieldType::texts, .least = 1, .most = 3, .fault = even},
};
constexpr Schema kSchema{"Thing", kFields};

// "where what" of the only violation, "" when there is none.
std::string fault(std::string_view json) {
  const auto value = parse_json(json);
  REQUIRE(value);
  const auto found = check_object(kSchema, *value);
  if (found.empty()) return {};
  REQUIRE(found.size() == 1);
  return found[0].where + " " + found[0].what;
}

std::string with(std::string_view member) { return R"({"name":"abc",)" + std::string(member) + "}"; }

}  // namespace

TEST_CASE("only what can be cleared may be null", "[api][schema]") {
  CHECK(fault(with(R"("end":null)")).empty());
  CHECK(fault(with(R"("end":"2026-01-31T09:30:00Z")")).empty());
  CHECK(fault(with(R"("end":"never")")) == "/end must be a time such as 2026-01-31T09:30:00Z");
  CHECK(fault(with(R"("at":null)")) == "/at must be text");
}

TEST_CASE("what fits is accepted", "[api][schema]") {
  CHECK(fault(R"({"name":"abc"})").empty());
  CHECK(
      fault(
          R"({"name":"äöüß!","count":10,"loud":false,"inputs":{"x":[1]},"tags":["red","green"],"colour":"red",)"
          R"("agent":"agt_01J9Z3ZZZZZZZZZZZZZZZZZZZZ","text":"a\n\tb","slug":"a-1","email":"a@b","at":"2026-01-31T09:30:00Z",)"
          R"("in":"90d","limits":{"most":3,"word":"ab"},"pairs":["ab","cdef"]})")
          .empty());
}

TEST_CASE("what does not fit is named by place and reason", "[api][schema]") {
  const std::pair<std::string, std::string> table[] = {
      {"[]", " must be a JSON object"},
      {"{}", "/name is missing"},
      {R"({"name":"a"})", "/name must have at least 2 characters"},
      {R"({"name":"abcdef"})", "/name must have at most 5 characters"},
      {R"({"name":1})", "/name must be text"},
      {R"({"name":null})", "/name must be text"},
      {R"({"name":"a\u0000b"})", "/name must not have control characters or spaces at its ends"},
      {R"({"name":"a\u009bb"})", "/name must not have control characters or spaces at its ends"},
      {R"({"name":"a\u202eb"})", "/name must not have control characters or spaces at its ends"},
      {with(R"("email":"x@y\u009d0")"), "/email must be an e-mail address"},
      {R"({"name":" ab"})", "/name must not have control characters or spaces at its ends"},
      {with(R"("count":0)"), "/count must be from 1 to 10"},
      {with(R"("count":11)"), "/count must be from 1 to 10"},
      {with(R"("count":1.5)"), "/count must be a whole number"},
      {with(R"("count":"1")"), "/count must be a whole number"},
      {with(R"("count":18446744073709551615)"), "/count must be a whole number"},
      {with(R"("loud":"yes")"), "/loud must be true or false"},
      {with(R"("inputs":[])"), "/inputs must be an object"},
      {with(R"("tags":[])"), "/tags must have from 1 to 2 entries"},
      {with(R"("tags":["red","red","red"])"), "/tags must have from 1 to 2 entries"},
      {with(R"("tags":[1])"), "/tags must be a list of texts"},
      {with(R"("tags":["gren"])"), "/tags has an entry that is not one of the known values (did you mean green?)"},
      {with(R"("tags":"red")"), "/tags must be a list of texts"},
      {with(R"("colour":"mauve-ish")"), "/colour must be one of: red, green"},
      {with(R"("agent":"usr_01J9Z3ZZZZZZZZZZZZZZZZZZZZ")"), "/agent must be an id of the right kind"},
      {with(R"("slug":"Big")"), "/slug must be lower-case letters, digits and hyphens, and begin with a letter"},
      {with(R"("slug":"1a")"), "/slug must be lower-case letters, digits and hyphens, and begin with a letter"},
      {with(R"("email":"nobody")"), "/email must be an e-mail address"},
      {with(R"("email":"a@b@c")"), "/email must be an e-mail address"},
      {with(R"("email":"a b@c")"), "/email must be an e-mail address"},
      {with(R"("at":"yesterday")"), "/at must be a time such as 2026-01-31T09:30:00Z"},
      {with(R"("in":"soon")"), "/in must be a duration such as 30m, 24h or 90d"},
      {with(R"("limits":3)"), "/limits must be an object"},
      {with(R"("limits":{})"), "/limits/most is missing"},
      {with(R"("limits":{"most":10})"), "/limits/most must be from 1 to 9"},
      {with(R"("limits":{"most":1,"mots":1})"), "/limits has an unknown member (did you mean \"most\"?)"},
      {with(R"("limits":{"most":1,"word":"abc"})"), "/limits/word must be even"},
      {with(R"("limits":{"most":1,"word":1})"), "/limits/word must be text"},
      {with(R"("pairs":["ab","abc"])"), "/pairs has an entry that must be even"},
      {with(R"("colur":"red")"), "/ has an unknown member (did you mean \"colour\"?)"},
  };
  for (const auto& [json, expected] : table) {
    INFO(json);
    CHECK(fault(json) == expected);
  }
}

TEST_CASE("an unknown member without a near name lists the known ones and never repeats what came", "[api][schema]") {
  const auto text = fault(with(R"("secret-canary-value":1)"));
  CHECK(text.find("known ones are: name, count") != std::string::npos);
  CHECK(text.find("canary") == std::string::npos);
}

TEST_CASE("every violation is reported, up to a bound", "[api][schema]") {
  const auto many = parse_json(R"({"count":0,"loud":1,"slug":"X"})");
  CHECK(check_object(kSchema, *many).size() == 4);
  ValueMap members;
  for (int i = 0; i < 100; ++i) members.emplace(Value("zzzzzzzzzzzz" + std::to_string(i)), Value(1));
  CHECK(check_object(kSchema, Value(members)).size() == kMostViolations);
  const ValueMap outer{{Value("name"), Value("abc")}, {Value("limits"), Value(members)}};
  CHECK(check_object(kSchema, Value(outer)).size() == kMostViolations);
}

TEST_CASE("a cursor has the parts of its list", "[api][schema]") {
  const Field cursor{.name = "cursor", .format = Format::cursor, .among = kParts};
  const std::string id = "agt_01J9Z3ZZZZZZZZZZZZZZZZZZZZ";
  for (const auto& good : {std::string(), "17/" + id + "/a", "17/" + id + "/a/b"}) {
    INFO(good);
    CHECK(read_text_value(cursor, good));
  }
  const auto whole = "17/" + id + "/a";
  for (std::size_t cut = 1; cut < whole.size(); ++cut) {
    INFO("cut after " << cut);
    CHECK_FALSE(read_text_value(cursor, whole.substr(0, cut)));
  }
  for (const std::string& bad : std::vector<std::string>{"/" + id + "/a", "-1/" + id + "/a", "1x/" + id + "/a",
                                                         "12345678901234567890/" + id + "/a",
                                                         "17/usr_01J9Z3ZZZZZZZZZZZZZZZZZZZZ/a", "17/" + id + "/"}) {
    INFO(bad);
    CHECK_FALSE(read_text_value(cursor, bad));
  }
}

TEST_CASE("texts of paths and queries become values", "[api][schema]") {
  const Field number{.name = "n", .type = FieldType::integer, .least = 1, .most = 200};
  CHECK(read_text_value(number, "200")->as_int() == 200);
  for (const auto* bad : {"", "0", "201", "1x", " 1", "+1", "1.0", "99999999999999999999"}) {
    INFO(bad);
    CHECK_FALSE(read_text_value(number, bad));
  }
  const Field flag{.name = "f", .type = FieldType::boolean};
  CHECK(read_text_value(flag, "true")->as_bool());
  CHECK_FALSE(read_text_value(flag, "1"));
  const Field id{.name = "agent", .format = Format::id, .among = kPrefix};
  CHECK(read_text_value(id, "agt_01J9Z3ZZZZZZZZZZZZZZZZZZZZ"));
  CHECK_FALSE(read_text_value(id, "agt_01j9z3zzzzzzzzzzzzzzzzzzzz"));
  CHECK_FALSE(read_text_value(id, "\xff"));
}
