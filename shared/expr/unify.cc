#include "shared/expr/unify.h"

#include <algorithm>

namespace sallyport::expr {
namespace {

using Kind = Type::Kind;

Type rebuilt(const Type& type, const std::vector<Type>& arguments) {
  switch (type.kind()) {
    case Kind::list: return Type::list(arguments[0]);
    case Kind::map: return Type::map(arguments[0], arguments[1]);
    case Kind::type: return Type::type(arguments[0]);
    default: return type;
  }
}

template <class Change>
Type with_arguments(const Type& type, Change change) {
  if (type.arguments().empty()) return type;
  std::vector<Type> arguments;
  for (const auto& argument : type.arguments()) arguments.push_back(change(argument));
  return rebuilt(type, arguments);
}

bool takes_null(const Type& type) {
  return type.is(Kind::timestamp) || type.is(Kind::duration) || type.is(Kind::handle);
}

}  // namespace

Type more_general(const Type& a, const Type& b) {
  if (a.is(Kind::dyn) || b.is(Kind::dyn)) return Type();
  if (a.is(Kind::null)) return b;
  if (a.kind() != b.kind() || a.arguments().size() != b.arguments().size()) return a;
  std::vector<Type> arguments;
  for (std::size_t i = 0; i < a.arguments().size(); ++i)
    arguments.push_back(more_general(a.arguments()[i], b.arguments()[i]));
  return arguments.empty() ? a : rebuilt(a, arguments);
}

bool Substitution::assign(const Type& from, const Type& to) {
  const auto a = apply(from), b = apply(to);
  if (a.is(Kind::parameter) && b.is(Kind::parameter) && a.number() == b.number()) return true;
  if (to.is(Kind::parameter) && !b.is(Kind::parameter)) {
    const auto before = mark();
    const bool fits = a.is(Kind::parameter) ? bind(a.number(), b) : widen(to.number(), a, b);
    if (!fits) undo(before);
    return fits;
  }
  if (b.is(Kind::parameter)) return bind(b.number(), a);
  if (a.is(Kind::parameter)) return bind(a.number(), b);
  if (a.is(Kind::dyn) || b.is(Kind::dyn)) return true;
  if (a.is(Kind::null) && takes_null(b)) return true;
  if (b.is(Kind::null) && takes_null(a)) return true;
  if (a.kind() != b.kind()) return false;
  if (a.is(Kind::type)) return true;  // values that are types compare whatever they are types of
  for (std::size_t i = 0; i < a.arguments().size(); ++i) {
    if (!assign(a.arguments()[i], b.arguments()[i])) return false;
  }
  return true;
}

// A parameter that already means something may come to mean something more general.
bool Substitution::widen(int parameter, const Type& from, const Type& known) {
  set(parameter, std::nullopt);
  return assign(from, known) && bind(parameter, more_general(apply(from), apply(known)));
}

void Substitution::set(int parameter, std::optional<Type> type) {
  const auto it = known_.find(parameter);
  trail_.emplace_back(parameter, it == known_.end() ? std::nullopt : std::optional(it->second));
  if (type) {
    known_.insert_or_assign(parameter, *std::move(type));
  } else {
    known_.erase(parameter);
  }
}

void Substitution::undo(std::size_t mark) {
  for (; trail_.size() > mark; trail_.pop_back()) {
    auto& [parameter, before] = trail_.back();
    if (before) {
      known_.insert_or_assign(parameter, *std::move(before));
    } else {
      known_.erase(parameter);
    }
  }
}

bool Substitution::bind(int parameter, const Type& type) {
  if (type.is(Kind::parameter) && type.number() == parameter) return true;
  if (occurs(parameter, type)) return false;
  set(parameter, type);
  return true;
}

bool Substitution::occurs(int parameter, const Type& type) const {
  const auto known = apply(type);
  if (known.is(Kind::parameter)) return known.number() == parameter;
  return std::ranges::any_of(known.arguments(), [&](const Type& argument) { return occurs(parameter, argument); });
}

Type Substitution::apply(const Type& type) const {
  if (type.is(Kind::parameter)) {
    const auto it = known_.find(type.number());
    return it == known_.end() ? type : apply(it->second);
  }
  return with_arguments(type, [this](const Type& argument) { return apply(argument); });
}

Type Substitution::settled(const Type& type) const {
  const auto known = apply(type);
  if (known.is(Kind::parameter)) return Type();
  return with_arguments(known, [this](const Type& argument) { return settled(argument); });
}

Type Substitution::instantiate(const Type& type, std::map<int, Type>& fresh_ones) {
  if (type.is(Kind::parameter)) {
    const auto it = fresh_ones.find(type.number());
    return it != fresh_ones.end() ? it->second : fresh_ones.emplace(type.number(), fresh()).first->second;
  }
  return with_arguments(type, [&](const Type& argument) { return instantiate(argument, fresh_ones); });
}

}  // namespace sallyport::expr
