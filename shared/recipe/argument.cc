#include "shared/recipe/argument.h"

#include "shared/base/result.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::recipe {

struct Argument::Walk {
  const expr::Activation& activation;
  expr::EvalLimits limits;
  std::string path;

  // Runs `part` with the path extended, and restores it.
  template <class Part>
  auto below(std::string_view step, Part part) {
    const auto length = path.size();
    if (!path.empty() && !step.starts_with('[')) path += '.';
    path += step;
    auto result = part();
    path.resize(length);
    return result;
  }
};

std::expected<Value, ArgumentProblem> Argument::evaluate(const expr::Activation& activation,
                                                         expr::EvalLimits limits) const {
  Walk walk{activation, limits, {}};
  return evaluate_at(walk);
}

std::expected<Value, ArgumentProblem> Argument::evaluate_at(Walk& walk) const {
  if (const auto* literal = std::get_if<Value>(&node_)) return *literal;
  if (const auto* text = std::get_if<expr::Template>(&node_)) {
    auto value = text->evaluate(walk.activation, walk.limits);
    if (!value) return std::unexpected(ArgumentProblem{walk.path, std::move(value).error()});
    return *std::move(value);
  }
  if (const auto* items = std::get_if<List>(&node_)) {
    ValueList out;
    for (std::size_t i = 0; i < items->size(); ++i) {
      SP_TRY(auto value, walk.below(fmt::format("[{}]", i), [&] { return (*items)[i].evaluate_at(walk); }));
      out.push_back(std::move(value));
    }
    return Value(std::move(out));
  }
  ValueMap out;
  for (const auto& [name, member] : std::get<Map>(node_)) {
    SP_TRY(auto value, walk.below(name, [&] { return member.evaluate_at(walk); }));
    out.emplace(Value(name), std::move(value));
  }
  return Value(std::move(out));
}

bool Argument::is_literal() const {
  if (const auto* text = std::get_if<expr::Template>(&node_)) return text->is_literal();
  if (const auto* items = std::get_if<List>(&node_)) return std::ranges::all_of(*items, &Argument::is_literal);
  if (const auto* members = std::get_if<Map>(&node_)) {
    return std::ranges::all_of(*members, [](const auto& member) { return member.second.is_literal(); });
  }
  return true;
}

Value Argument::source() const {
  if (const auto* literal = std::get_if<Value>(&node_)) return *literal;
  if (const auto* text = std::get_if<expr::Template>(&node_)) return Value(text->text());
  if (const auto* items = std::get_if<List>(&node_)) {
    ValueList out;
    for (const auto& item : *items) out.push_back(item.source());
    return Value(std::move(out));
  }
  ValueMap out;
  for (const auto& [name, member] : std::get<Map>(node_)) out.emplace(Value(name), member.source());
  return Value(std::move(out));
}

std::vector<Argument::Use> Argument::uses() const {
  std::vector<Use> found;
  std::string path;
  collect(path, found);
  return found;
}

void Argument::collect(std::string& path, std::vector<Use>& into) const {
  const auto length = path.size();
  if (const auto* text = std::get_if<expr::Template>(&node_)) {
    for (const auto& reference : text->references()) into.push_back({path, reference});
  } else if (const auto* items = std::get_if<List>(&node_)) {
    for (std::size_t i = 0; i < items->size(); ++i) {
      path += fmt::format("[{}]", i);
      (*items)[i].collect(path, into);
      path.resize(length);
    }
  } else if (const auto* members = std::get_if<Map>(&node_)) {
    for (const auto& [name, member] : *members) {
      path += path.empty() ? name : "." + name;
      member.collect(path, into);
      path.resize(length);
    }
  }
}

const Argument::List* Argument::items() const { return std::get_if<List>(&node_); }

const Argument* Argument::find(std::string_view name) const {
  const auto* members = std::get_if<Map>(&node_);
  if (members == nullptr) return nullptr;
  const auto it = members->find(name);
  return it == members->end() ? nullptr : &it->second;
}

}  // namespace sallyport::recipe
