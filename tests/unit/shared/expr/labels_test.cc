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

Program compiled(std::string_view source) {
  Environment environment;
  for (const auto& name : kNames) environment.declare(name);
  const auto program = compile(source, environment);
  INFO(source);
  REQUIRE(program);
  return *program;
}

Value evaluated(std::string_view source) {
  auto value = evaluate(compiled(source), bindings());
  INFO(source);
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

namespace {

constexpr EvalLimits kCarryOnly{.secrets = SecretUse::carry_only};

}  // namespace

TEST_CASE("where secrets are only carried they can be joined, encoded and given on", "[expr][label][carry]") {
  for (auto source : {"secret",
                      "'Bearer ' + secret",
                      "secret + secret",
                      "string(secret)",
                      "bytes(secret)",
                      "base64.encode(bytes('ann:' + secret))",
                      "['a', secret].join('-')",
                      "secret.trim().lowerAscii()",
                      "secret.upperAscii().reverse()",
                      "[secret][0]",
                      "{'a': secret}.a",
                      "{'a': secret}['a']",
                      "secrets.token",
                      "secrets['token']",
                      "tainted_list[0]",
                      "tainted_list.map(x, x)[1]",
                      "tainted_list + [1]",
                      "true ? secret : 'x'",
                      "true || flag ? secret : 'x'",
                      "cel.bind(s, secret, s + 'x')",
                      "has(secrets.token)",
                      "dyn(secret)"}) {
    INFO(source);
    const auto value = evaluate(compiled(source), bindings(), kCarryOnly);
    INFO((value ? std::string() : value.error().message));
    REQUIRE(value);
    CHECK(value->label() == Label::secret);
  }
}

TEST_CASE("and nothing can be asked of them", "[expr][label][carry]") {
  for (auto source : {"secret == 'hunter2'",
                      "secret == 'x' ? 1 : 2",
                      "flag ? 1 : 2",
                      "flag || true",
                      "false || flag",
                      "!flag",
                      "(1 / 0 > 0) || flag",
                      "int(secret)",
                      "secret.charAt(0)",
                      "secret.substring(1)",
                      "secret.split('n')",
                      "secret.replace('h', 'a')",
                      "secret.matches('h.*')",
                      "size(secret)",
                      "secret.contains('h')",
                      "secret.indexOf('h')",
                      "'%s'.format([secret])",
                      "{'a': 1}[secret]",
                      "{secret: 1}",
                      "['a'][number - 7]",
                      "[1][number]",
                      "number + 1",
                      "number < 3",
                      "-number",
                      "string(bytes(secret))",
                      "'a' in [secret]",
                      "[secret] == ['a']",

                      "list.all(x, x > 0)",
                      "list.filter(x, x > 1)",
                      "list.exists_one(x, x == 3)",
                      "[1].filter(x, flag)",
                      "list.map(x, x > 1, 0)",
                      "[secret].transformMapEntry(i, v, {v: i})",
                      "timestamp(secret)",
                      "base64.decode(secret)",
                      "google.protobuf.StringValue{value: secret}",
                      "strings.quote(secret)",
                      "math.greatest(1, number)",
                      "'a'.matches(secret)",
                      "type(secret) == string"}) {
    INFO(source);
    const auto value = evaluate(compiled(source), bindings(), kCarryOnly);
    REQUIRE_FALSE(value);
    CHECK(value.error().message.contains("may not depend on a secret"));
    CHECK(value.error().label == Label::none);  // it fails whatever the secret is
  }
  // Decided by another element, whatever the secret one is.
  CHECK(evaluate(compiled("list.exists(x, x == 3)"), bindings(), kCarryOnly)->label() == Label::none);
  // Masked values may be looked into.
  CHECK(evaluate(compiled("masked == '1985-01-01' ? 1 : 2"), bindings(), kCarryOnly) == Value(1));
}

TEST_CASE("nor of their bytes as text", "[expr][label][carry]") {
  Environment environment;
  environment.declare("key");
  Activation activation;
  const auto text = Template::parse("k ${{ key }}", environment);
  for (const auto& key : {Bytes{std::byte{0xff}}, Bytes{std::byte{'a'}}}) {
    activation.bind("key", Value(key).with_label(Label::secret));
    const auto carried = text->evaluate(activation, kCarryOnly);
    REQUIRE_FALSE(carried);
    CHECK(carried.error().message.starts_with("text from bytes may not depend on a secret"));
  }
}

TEST_CASE("a problem says what had a say in it", "[expr][label]") {
  const auto label = [](std::string_view source) {
    const auto value = evaluate(compiled(source), bindings());
    INFO(source);
    REQUIRE_FALSE(value);
    return value.error().label;
  };
  CHECK(label("1 / 0") == Label::none);
  CHECK(label("plain.charAt(99)") == Label::none);
  CHECK(label("masked.charAt(99)") == Label::masked);
  CHECK(label("masked == 'x' ? 1 : 1 / 0") == Label::masked);
  CHECK(label("secrets.other") == Label::secret);
  CHECK(label("(1 / (number - 7)) + size(masked)") == Label::secret);
  CHECK(label("record.born.charAt(99)") == Label::masked);
}
