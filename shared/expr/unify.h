#pragma once

#include "shared/expr/type.h"

#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sallyport::expr {

// What type parameters stand for, found out while an expression is checked. What is learned can be taken back to a
// mark, so that an overload can be tried.
class Substitution {
 public:
  // True if a value of type `from` may stand where `to` is wanted; dyn agrees with everything. Learns what parameters
  // mean.
  bool assign(const Type& from, const Type& to);
  // `type` with what is known about its parameters put in; what is unknown stays a parameter.
  Type apply(const Type& type) const;
  // The same with dyn for what is unknown.
  Type settled(const Type& type) const;
  Type fresh() { return Type::parameter(next_++); }
  // `type` with its parameters (of a signature) replaced by fresh ones, the same one for the same parameter.
  Type instantiate(const Type& type, std::map<int, Type>& fresh_ones);

  std::size_t mark() const { return trail_.size(); }
  void undo(std::size_t mark);

 private:
  bool bind(int parameter, const Type& type);
  bool widen(int parameter, const Type& from, const Type& known);
  void set(int parameter, std::optional<Type> type);
  bool occurs(int parameter, const Type& type) const;

  std::unordered_map<int, Type> known_;
  std::vector<std::pair<int, std::optional<Type>>> trail_;  // what was known before each change
  int next_ = 1000;
};

// Of two types that agree the one that says less.
Type more_general(const Type& a, const Type& b);

}  // namespace sallyport::expr
