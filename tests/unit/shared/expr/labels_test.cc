#include "expr_support.h"

#include "shared/expr/template.h"

using namespace sallyport;
using namespace sallyport::expr;
using namespace sallyport::expr::test;

namespace {

const std::vector<std::string> kNames = {"secret", "masked", "secrets", "record",      "plain",
                                         "list",   "number", "flag",    "tainted_list"};

Activation bindings() {
  Activation activation;
  activation.bind("secret", Value("hunter2").with_label(Label::secret));
  activation.bind("masked", Value("1985-01-01").with_label(Label::masked));
  activation.bind("number", Value(7).with_label(Label::secret));
  activation.bind("flag", Value(true).with_label(Label::secret));
  activation.bind("plain", Value("open"));
  activation.bind("secrets", Value(ValueMap{{Value("token"), Value("t")}}).with_label(Label::secret));
  activation.bind("record", Value(ValueMap{{Value("name"), Value("Ann")},
                                           {Value("born"), Value("1985").with_label(Label::masked)}}));
  activation.bind("list", Value(ValueList{Value(1), Value(2).with_label(Label::secret), Value(3)}));
  activation.bind("tainted_list", Value(ValueList{Value(1), Value(2)}).with_label(Label::secret));
  return activation;
}

Value evaluated(std::string_view source) {
  Environment environment;
  for (const auto& name : kNames) environment.declare(name);
  const auto program = compile(source, environment);
  INFO(source);
  REQUIRE(program);
  auto value = evaluate(*program, bindings());
  INFO((value ? std::string() : value.error().message));
  REQUIRE(value);
  return *value;
}

Label label_of(std::string_view source) { return evaluated(source).label(); }

constexpr Label kBoth = Label::secret | Label::masked;

}  // namespace

TEST_CASE("what is made from a secret is secret", "[expr][label]") {
  for (auto source : {"secret",
                      "secret + 'x'",
                      "'x' + secret",
                      "secret == 'hunter2'",
                      "secret == 'x' ? 1 : 2",
                      "size(secret)",
                      "secret.size() > 3",
                      "secret.startsWith('h')",
                      "secret.matches('h.*')",
                      "string(number)",
                      "number + 1",
                      "-number",
                      "number < 3",
                      "type(secret) == string",
                      "secret.substring(1)",
                      "'%s'.format([secret])",
                      "['a', secret].join()",
                      "secret in ['a']",
                      "'a' in ['a', secret]",
                      "[secret] == ['a']",
                      "{'a': secret} == {'a': 'b'}",
                      "bytes(secret)",
                      "base64.encode(bytes(secret))",
                      "secret.split('n')",
                      "math.greatest(1, number)",
                      "math.greatest([1, number])",
                      "dyn(secret)",
                      "secret != null",
                      "google.protobuf.StringValue{value: secret}",
                      "strings.quote(secret)"}) {
    INFO(source);
    CHECK(label_of(source) == Label::secret);
  }
}

TEST_CASE("what has nothing to do with a secret is not", "[expr][label]") {
  for (auto source : {"plain", "plain + 'x'", "record.name", "list[0]", "size(list)", "size([secret])",
                      "has(record.born)", "true || flag", "false && flag", "true ? plain : secret", "[secret, plain]",
                      "[secret, plain][1]", "{'a': secret}", "{'a': secret, 'b': 1}.b", "record", "list.map(x, x)",
                      "type([secret])", "[1, 2].all(x, x > 0)", "cel.bind(s, secret, plain)"}) {
    INFO(source);
    CHECK(label_of(source) == Label::none);
  }
}

TEST_CASE("conditions and logic carry their labels on", "[expr][label]") {
  CHECK(label_of("flag ? 1 : 2") == Label::secret);
  CHECK(label_of("flag || true") == Label::secret);
  CHECK(label_of("flag && false") == Label::secret);
  CHECK(label_of("false || flag") == Label::secret);
  CHECK(label_of("!flag") == Label::secret);
  CHECK(label_of("flag ? masked : 'x'") == kBoth);
  CHECK(label_of("secret + masked") == kBoth);
  CHECK(label_of("flag ? [1] : [2]") == Label::secret);
  CHECK(label_of("(flag ? [1] : [2])[0]") == Label::secret);
  CHECK(label_of("(flag ? {'a': 1} : {})['a']") == Label::secret);
  CHECK(label_of("(flag ? {'a': 1} : {}).a") == Label::secret);
}

TEST_CASE("an absorbed error leaves its label behind", "[expr][label]") {
  // Whether the left side fails depends on the secret; that the right side decides must not hide that it was looked at.
  CHECK(label_of("(1 / (number - 7) > 0) || true") == Label::secret);
  CHECK(label_of("(flag ? 1 / 0 > 0 : false) || true") == Label::secret);
  CHECK(label_of("(1 / (number - 7) > 0) && false") == Label::secret);
  CHECK(label_of("[0, 1].exists(x, 1 / (x * number) >= 0)") == Label::secret);
  CHECK(label_of("{'a': 1}[secret] > 0 || true") == Label::secret);
  CHECK(label_of("tainted_list.map(x, 1 / 0) == [] || true") == Label::secret);
  CHECK(label_of("int(secret) > 0 || true") == Label::secret);
}

TEST_CASE("elements keep their own labels through containers", "[expr][label]") {
  CHECK(label_of("list[1]") == Label::secret);
  CHECK(label_of("record.born") == Label::masked);
  CHECK(label_of("record['born']") == Label::masked);
  CHECK(label_of("secrets.token") == Label::secret);
  CHECK(label_of("has(secrets.token)") == Label::secret);
  CHECK(label_of("size(secrets)") == Label::secret);
  CHECK(label_of("[plain][number - 7]") == Label::secret);
  CHECK(label_of("{'hunter2': plain}[secret]") == Label::secret);
  CHECK(label_of("{secret: 1}") == Label::secret);
  CHECK(label_of("{secret: 1, 'a': 2}['a']") == Label::secret);
  CHECK(label_of("([secret] + [plain])[1]") == Label::none);
  CHECK(label_of("([secret] + [plain])[0]") == Label::secret);
  CHECK(label_of("tainted_list + [1]") == Label::secret);
  CHECK(label_of("list == [1, 2, 3]") == Label::secret);
  CHECK(label_of("2 in list") == Label::secret);
  CHECK(deep_label(evaluated("[plain, {'x': [secret]}]")) == Label::secret);
  CHECK(deep_label(evaluated("{'a': masked, 'b': [secret]}")) == kBoth);
  CHECK(deep_label(evaluated("record")) == Label::masked);
}

TEST_CASE("macros carry the labels of what they look at", "[expr][label]") {
  CHECK(label_of("list.all(x, x > 0)") == Label::secret);
  CHECK(label_of("list.exists(x, x == 1)") == Label::none);  // decided before the secret element
  CHECK(label_of("list.exists(x, x == 3)") == Label::secret);
  CHECK(label_of("list.exists_one(x, x == 1)") == Label::secret);
  CHECK(label_of("list.filter(x, x > 1)") == Label::secret);
  CHECK(label_of("size(list.filter(x, x > 1))") == Label::secret);
  CHECK(label_of("list.map(x, x + 1)[1]") == Label::secret);
  CHECK(label_of("list.map(x, x + 1)[0]") == Label::none);
  CHECK(label_of("list.map(x, x > 1, 0)") == Label::secret);
  CHECK(label_of("tainted_list.map(x, 0)") == Label::secret);
  CHECK(label_of("tainted_list.map(x, x)[0]") == Label::secret);
  CHECK(label_of("tainted_list.all(x, true)") == Label::secret);
  CHECK(label_of("[1].map(x, secret)[0]") == Label::secret);
  CHECK(label_of("[1].filter(x, flag)") == Label::secret);
  CHECK(label_of("secrets.map(k, k)[0]") == Label::secret);
  CHECK(label_of("secrets.transformMap(k, v, 1)") == Label::secret);
  CHECK(label_of("[secret].transformMapEntry(i, v, {v: i})") == Label::secret);
  CHECK(label_of("cel.bind(s, secret, s + 'x')") == Label::secret);
}

TEST_CASE("a template carries the labels of all its values", "[expr][label]") {
  Environment environment;
  for (const auto& name : kNames) environment.declare(name);
  const auto label = [&](std::string_view text) {
    const auto parsed = Template::parse(text, environment);
    REQUIRE(parsed);
    const auto value = parsed->evaluate(bindings());
    REQUIRE(value);
    return value->label();
  };
  CHECK(label("Bearer ${{ secret }}") == Label::secret);
  CHECK(label("${{ secret }}") == Label::secret);
  CHECK(label("${{ plain }} and ${{ masked }} and ${{ secret }}") == kBoth);
  CHECK(label("${{ plain }}!") == Label::none);
}

TEST_CASE("problems hold no data", "[expr][label]") {
  Environment environment;
  for (const auto& name : kNames) environment.declare(name);
  for (auto source : {"{'a': 1}[secret]", "int(secret)", "timestamp(secret)", "duration(secret)", "bool(secret)",
                      "'a'.matches(secret + '(')", "base64.decode(secret)", "secret.charAt(99)",
                      "timestamp(0).getHours(secret)", "secret.format([1])", "[secret][secret]", "double(secret)",
                      "secret.map(x, x)", "list[number]", "secret.substring(number)"}) {
    INFO(source);
    const auto program = compile(source, environment);
    REQUIRE(program);
    const auto value = evaluate(*program, bindings());
    if (value) continue;
    CHECK_THAT(value.error().message, !Catch::Contains("hunter2") && !Catch::Contains("7"));
  }
}
