#include "relay/cli/caret.h"
#include "relay/cli/commands.h"
#include "shared/base/json.h"
#include "shared/expr/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>
#include <optional>

namespace sallyport::cli {
namespace {

constexpr std::size_t kMaxLine = 16u << 20;
// Typed JSON takes three levels for each of a map: so deep is what an expression of the deepest kind makes of literals.
constexpr JsonLimits kLineLimits{.max_bytes = kMaxLine, .max_depth = 1024};

Value error_value(std::string message) {
  return Value(ValueMap{{Value("error"), Value(ValueMap{{Value("message"), Value(std::move(message))},
                                                        {Value("line"), Value(0)},
                                                        {Value("column"), Value(0)}})}});
}

// JSON that stays one line for readers who also end lines at U+0085, U+2028 and U+2029: these stand in texts only.
std::string one_line(const Value& value) {
  static constexpr std::array<std::array<std::string_view, 2>, 3> kLineEnds = {
      {{"\xC2\x85", "\\u0085"}, {"\xE2\x80\xA8", "\\u2028"}, {"\xE2\x80\xA9", "\\u2029"}}};
  auto text = to_json(value);
  for (const auto& [character, escape] : kLineEnds) {
    for (auto at = text.find(character); at != std::string::npos; at = text.find(character, at + escape.size()))
      text.replace(at, character.size(), escape);
  }
  return text + "\n";
}

// Without its end, and never more than a byte over kMaxLine of it: the rest of a longer one is read and dropped.
std::optional<std::string> next_line(std::FILE* in) {
  std::string line;
  int c = std::fgetc(in);
  if (c == EOF) return std::nullopt;
  for (; c != EOF && c != '\n'; c = std::fgetc(in)) {
    if (line.size() <= kMaxLine) line += static_cast<char>(c);
  }
  return line;
}

Value answer_line(const std::string& line, const ValueMap& defaults) {
  if (line.size() > kMaxLine) return error_value(fmt::format("the line has over {} bytes", kMaxLine));
  const auto request = parse_json(line, kLineLimits);
  return request ? expr::evaluate_request(*request, defaults) : error_value(request.error().message);
}

// One JSON object a line in, one result a line out, in the same order; a broken line is an error result, not an end.
int evaluate_lines(Context& context, const ValueMap& defaults) {
  bool all_good = true;
  for (auto line = next_line(context.in); line && context.can_print(); line = next_line(context.in)) {
    if (line->find_first_not_of(" \t\r") == std::string::npos) continue;
    const Value result = answer_line(*line, defaults);
    all_good = all_good && result.find("error") == nullptr;
    context.print(one_line(result));
  }
  return all_good ? kDone : kFailed;
}

std::string plain(const Value& typed);

std::string plain_entry(const Value& entry) {
  return fmt::format("{}: {}", plain(*entry.find("key")), plain(*entry.find("value")));
}

std::string joined(const Value& items, std::string (*text)(const Value&)) {
  std::vector<std::string> texts;
  std::ranges::transform(items.as_list(), std::back_inserter(texts), text);
  return fmt::format("{}", fmt::join(texts, ", "));
}

// A value as an expression would write it.
std::string plain(const Value& typed) {
  const auto& type = typed.find("type")->as_string();
  if (typed.find("value") == nullptr) return to_json(typed);  // a handle
  const Value& value = *typed.find("value");
  if (type == "list") return "[" + joined(value, plain) + "]";
  if (type == "map") return "{" + joined(value, plain_entry) + "}";
  if (typed.find("negative_zero") != nullptr) return "-0.0";
  const auto text = to_json(value);
  if (type == "uint") return text + "u";
  if (type == "double" && text.find_first_not_of("-0123456789") == std::string::npos) return text + ".0";
  if (type == "timestamp" || type == "duration") return fmt::format("{}({})", type, text);
  return type == "type" && value.is(Value::Kind::string) ? value.as_string() : text;
}

std::string describe(const Value& result) {
  const Value* type = result.find("type");
  const Value* value = result.find("value");
  if (result.find("negative_zero") != nullptr) return "double  -0.0\n";
  if (value != nullptr && value->is(Value::Kind::list))
    return fmt::format("{}  {}\n", type->as_string(), plain(result));
  return fmt::format("{}  {}\n", type != nullptr && type->is(Value::Kind::string) ? type->as_string() : "?",
                     value != nullptr ? to_json(*value) : "");
}

std::string describe_problem(const Value& problem, std::string_view expression) {
  const auto number = [&](std::string_view name) {
    const Value* member = problem.find(name);
    return member != nullptr && member->is(Value::Kind::int64) ? member->as_int() : 0;
  };
  const Value* message = problem.find("message");
  std::string text = message != nullptr ? message->as_string() : "";
  if (number("line") == 0) return text;
  text = fmt::format("{}:{}: {}", number("line"), number("column"), text);
  if (number("line") == 1 && expression.find('\n') == std::string_view::npos) {
    text += fmt::format("\n  {}\n  {}", expression, caret_under(expression, number("column")));
  }
  return text;
}

// The names in `--with FILE`; none without it.
Result<ValueMap> read_names(const Context& context, const std::string& path) {
  if (path.empty()) return ValueMap();
  SP_TRY(const auto text, read_input(context, path, kMaxLine));
  const auto names = parse_json(text, kLineLimits);
  if (!names) return fail(names.error().code, path + ": " + names.error().message);
  if (!names->is(Value::Kind::map)) return fail(Errc::invalid, path + ": must hold one object, {\"name\": value, ...}");
  return names->as_map();
}

int report_problem(const Context& context, const Value& result, std::string_view expression) {
  if (context.format == Format::json) context.print(one_line(result));
  if (context.format == Format::yaml) context.show(result, "");
  if (context.format == Format::table) context.complain(describe_problem(*result.find("error"), expression));
  return kFailed;
}

int evaluate(Context& context, const Arguments& arguments) {
  const auto path = arguments.get("with");
  if (arguments.count() == 0 && path == "-") {
    context.complain("--with - and the requests would both be read from standard input; name a file");
    return kUsage;
  }
  const auto names = read_names(context, path);
  if (!names) return context.fail_with(names.error());
  if (arguments.count() == 0) return evaluate_lines(context, *names);
  const auto expression = arguments.positional(0);
  const Value result = expr::evaluate_request(Value(ValueMap{{Value("expr"), Value(expression)}}), *names);
  if (result.find("error") != nullptr) return report_problem(context, result, expression);
  if (const Value* warning = result.find("warning"); warning != nullptr && context.format == Format::table) {
    context.complain("warning: " + describe_problem(*warning, expression));
  }
  if (context.format == Format::json) {
    context.print(one_line(result));
  } else {
    context.show(result, describe(result));
  }
  return kDone;
}

}  // namespace

std::vector<Command> expression_commands() {
  return {{.noun = "expression",
           .verb = "eval",
           .positionals = {"[EXPR]"},
           .options = {{"with", "FILE.json", "names the expressions may use, {\"name\": value, ...}"}},
           .help = "evaluate an expression offline; without EXPR one JSON request per line from standard input",
           .run = evaluate,
           .details = "A request {\"expr\": \"x + 1\", \"with\": {\"x\": 1}} gives {\"type\":\"int\",\"value\":2}.\n"
                      "The language and every member of a request: docs/expressions.md."}};
}

}  // namespace sallyport::cli
