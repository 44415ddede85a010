#include "shared/expr/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::expr {
namespace {

using Kind = Value::Kind;

constexpr std::array<std::string_view, 8> kMembers = {"id",        "expr",  "bindings", "with", "typed_bindings",
                                                      "container", "types", "check"};

// Each name of an expression may be looked for in every part of it.
constexpr std::size_t kMaxContainer = 256;
constexpr std::ptrdiff_t kMaxContainerParts = 32;

struct Request {
  std::string source;
  Environment environment;
  Activation activation;
  std::optional<bool> check;
};

Value described(const Problem& problem) {
  return Value(ValueMap{{Value("message"), Value(problem.message)},
                        {Value("line"), Value(problem.line)},
                        {Value("column"), Value(problem.column)}});
}
// The request itself is wrong: no place in an expression.
Problem of_request(const Error& error) { return Problem{.message = error.message, .line = 0, .column = 0}; }
Value error_answer(const Problem& problem) { return Value(ValueMap{{Value("error"), described(problem)}}); }

Result<void> refuse_unknown(const ValueMap& members) {
  for (const auto& [name, value] : members) {
    if (std::ranges::find(kMembers, name.as_string()) != kMembers.end()) continue;
    const auto near = nearest(name.as_string(), kMembers);
    return fail(Errc::invalid, fmt::format("unknown member '{}' of the request{}", name.as_string(),
                                           near ? fmt::format(" (did you mean '{}'?)", *near) : ""));
  }
  return {};
}

// Null when it is not there.
const Value* given(const Value& request, std::string_view name) {
  const auto* member = request.find(name);
  return member == nullptr || member->is_null() ? nullptr : member;
}

Result<const ValueMap*> object(const Value& request, std::string_view name) {
  static const ValueMap kEmpty;
  const auto* member = given(request, name);
  if (member == nullptr) return &kEmpty;
  if (!member->is(Kind::map)) return fail(Errc::invalid, fmt::format("'{}' must be an object", name));
  return &member->as_map();
}

Result<void> read_bindings(const Value& request, Request& into) {
  for (auto name : {"bindings", "with"}) {
    SP_TRY(const auto* bindings, object(request, name));
    for (const auto& [key, value] : *bindings) {
      into.environment.declare(key.as_string());
      into.activation.bind(key.as_string(), value);
    }
  }
  SP_TRY(const auto* typed, object(request, "typed_bindings"));
  for (const auto& [key, value] : *typed) {
    SP_TRY(auto made, from_typed_json(value));
    into.environment.declare(key.as_string());
    into.activation.bind(key.as_string(), std::move(made));
  }
  return {};
}

Result<void> read_types(const Value& request, Environment& into) {
  SP_TRY(const auto* types, object(request, "types"));
  for (const auto& [name, text] : *types) {
    const auto type = text.is(Kind::string) ? parse_type(text.as_string()) : std::nullopt;
    if (!type)
      return fail(Errc::invalid,
                  fmt::format("the type of '{}' is not a type such as int or list(string)", name.as_string()));
    into.declare(name.as_string(), *type);
  }
  return {};
}

Result<Request> read_request(const Value& request, const ValueMap& defaults) {
  if (!request.is(Kind::map)) return fail(Errc::invalid, "a request is an object with the member 'expr'");
  SP_CHECK(refuse_unknown(request.as_map()));
  Request read;
  const auto* source = request.find("expr");
  if (source == nullptr || !source->is(Kind::string)) return fail(Errc::invalid, "'expr' is missing or not a string");
  read.source = source->as_string();
  for (const auto& [name, value] : defaults) {
    read.environment.declare(name.as_string());
    read.activation.bind(name.as_string(), value);
  }
  SP_CHECK(read_bindings(request, read));
  SP_CHECK(read_types(request, read.environment));
  if (const auto* container = given(request, "container")) {
    if (!container->is(Kind::string)) return fail(Errc::invalid, "'container' must be a string");
    const auto& name = container->as_string();
    if (name.size() > kMaxContainer || std::ranges::count(name, '.') >= kMaxContainerParts)
      return fail(Errc::invalid,
                  fmt::format("'container' may have {} bytes and {} parts", kMaxContainer, kMaxContainerParts));
    read.environment.set_container(container->as_string());
  }
  if (const auto* check = given(request, "check")) {
    if (!check->is(Kind::boolean)) return fail(Errc::invalid, "'check' must be true or false");
    read.check = check->as_bool();
  }
  return read;
}

Outcome<Value> run(const Request& request, Checking checking) {
  SP_TRY(const auto program, compile(request.source, request.environment, checking));
  return evaluate(program, request.activation);
}

Value answer(const Outcome<Value>& outcome) {
  return outcome ? to_typed_json(*outcome) : error_answer(outcome.error());
}

Value with_member(const Value& result, std::string_view name, Value member) {
  ValueMap members = result.as_map();
  members.insert_or_assign(Value(name), std::move(member));
  return Value(std::move(members));
}

Value evaluated(const Value& request, const ValueMap& defaults) {
  const auto read = read_request(request, defaults);
  if (!read) return error_answer(of_request(read.error()));
  if (read->check) return answer(run(*read, *read->check ? Checking::strict : Checking::off));
  const auto checked = compile(read->source, read->environment, Checking::strict);
  if (checked) return answer(evaluate(*checked, read->activation));
  const auto unchecked = run(*read, Checking::off);
  return unchecked ? with_member(to_typed_json(*unchecked), "warning", described(checked.error()))
                   : error_answer(checked.error());
}

}  // namespace

Value evaluate_request(const Value& request, const ValueMap& defaults) {
  const auto result = evaluated(request, defaults);
  const auto* id = request.is(Kind::map) ? request.find("id") : nullptr;
  return id != nullptr ? with_member(result, "id", *id) : result;
}

}  // namespace sallyport::expr
