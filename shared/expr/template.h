#pragma once

#include "shared/expr/expr.h"

namespace sallyport::expr {

// A text field of a recipe in which `${{ expression }}` stands for a value. `$${{` is a literal `${{`.
// The expression ends at the first `}}` outside its own strings, comments and braces.
//
// A text that is one whole `${{ }}` gives the expression's value as it is, of any type. Otherwise each value becomes
// text: strings as they are; bool, int, uint, double, bytes, timestamp and duration as string() makes them (bytes must
// be UTF-8); types by name. null, list, map and handle are refused: say what is meant, with string(), join() or another
// field. The result carries the labels of all values in it.
//
// Immutable and cheap to copy; may be evaluated by several threads at once. Problems point into the template's text.
class Template {
 public:
  static Outcome<Template> parse(std::string_view text, const Environment& environment,
                                 Checking checking = Checking::strict, CompileLimits limits = {});

  bool is_literal() const;           // no expression inside
  bool is_whole() const;             // one expression and nothing else: the value keeps its type
  const std::string& text() const;   // as written
  std::string literal_text() const;  // the literal parts, escapes resolved, joined: all of it when is_literal()
  std::span<const Reference> references() const;  // of all expressions, in order; offsets into text()

  Outcome<Value> evaluate(const Activation& activation, EvalLimits limits = {}) const;

 private:
  struct Parts;
  explicit Template(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}
  std::shared_ptr<const Parts> parts_;
};

}  // namespace sallyport::expr
