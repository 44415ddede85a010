#include "relay/cli/commands.h"
#include "shared/base/json.h"
#include "shared/expr/request.h"

#include <fmt/format.h>

namespace sallyport::cli {
namespace {

constexpr std::size_t kMaxLine = 16u << 20;

Value error_value(std::string message) {
  return Value(ValueMap{{Value("error"), Value(ValueMap{{Value("message"), Value(std::move(message))},
                                                        {Value("line"), Value(0)},
                                                        {Value("column"), Value(0)}})}});
}

// One JSON object a line in, one result a line out, in the same order; a broken line is an error result, not an end.
int evaluate_lines(Context& context) {
  std::string line;
  bool all_good = true;
  const auto answer = [&] {
    if (line.find_first_not_of(" \t\r") == std::string::npos) return;
    const auto request = parse_json(line);
    const Value result = request ? expr::evaluate_request(*request) : error_value(request.error().message);
    all_good = all_good && result.find("error") == nullptr;
    context.print(to_json(result) + "\n");
  };
  for (int c = std::fgetc(context.in); c != EOF; c = std::fgetc(context.in)) {
    if (c != '\n') {
      line += static_cast<char>(c);
      if (line.size() > kMaxLine) return context.fail_with({Errc::too_large, "a line of over 16 MiB"});
      continue;
    }
    answer();
    line.clear();
  }
  answer();
  return all_good ? kDone : kFailed;
}

std::string describe(const Value& result) {
  const Value* type = result.find("type");
  const Value* value = result.find("value");
  return fmt::format("{}  {}\n", type != nullptr && type->is(Value::Kind::string) ? type->as_string() : "?",
                     value != nullptr ? to_json(*value) : "");
}

std::string describe_problem(const Value& problem, std::string_view expression) {
  const auto number = [&](std::string_view name) {
    const Value* member = problem.find(name);
    return member != nullptr && member->is(Value::Kind::int64) ? member->as_int() : 0;
  };
  const Value* message = problem.find("message");
  auto text =
      fmt::format("{}:{}: {}", number("line"), number("column"), message != nullptr ? message->as_string() : "");
  if (number("line") == 1 && expression.find('\n') == std::string_view::npos) {
    text += fmt::format("\n  {}\n  {}^", expression,
                        std::string(static_cast<std::size_t>(std::max<std::int64_t>(number("column") - 1, 0)), ' '));
  }
  return text;
}

int evaluate(Context& context, const Arguments& arguments) {
  if (arguments.count() == 0) return evaluate_lines(context);
  ValueMap request{{Value("expr"), Value(arguments.positional(0))}};
  if (const auto path = arguments.get("with"); !path.empty()) {
    auto text = read_input(context, path, kMaxLine);
    if (!text) return context.fail_with(text.error());
    auto bindings = parse_json(*text);
    if (!bindings) return context.fail_with({bindings.error().code, path + ": " + bindings.error().message});
    request.emplace(Value("with"), *bindings);
  }
  const Value result = expr::evaluate_request(Value(std::move(request)));
  if (const Value* problem = result.find("error")) {
    if (context.format != Format::table) {
      context.show(result, "");
    } else {
      context.complain(describe_problem(*problem, arguments.positional(0)));
    }
    return kFailed;
  }
  if (const Value* warning = result.find("warning"); warning != nullptr && context.format == Format::table) {
    context.complain("warning: " + describe_problem(*warning, arguments.positional(0)));
  }
  if (context.format == Format::json) {
    context.print(to_json(result) + "\n");
  } else {
    context.show(result, describe(result));
  }
  return kDone;
}

}  // namespace

std::vector<Command> expression_commands() {
  return {{"expression",
           "eval",
           {"[EXPR]"},
           {{"with", "FILE.json", "names the expression may use"}},
           "evaluate an expression offline; without EXPR one JSON request per line from standard input",
           evaluate}};
}

}  // namespace sallyport::cli
