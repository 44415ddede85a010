#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::expr {

// A static type of the expression language, as the checker knows it before anything runs. Cheap to copy; immutable.
// `dyn` is "known only at run time" and agrees with every type; `parameter` stands for "any one type" in signatures.
// What is nested deeper than 32 levels is dyn, so that no expression can make checking slow.
class Type {
 public:
  enum class Kind {
    dyn,
    null,
    boolean,
    int64,
    uint64,
    float64,
    string,
    bytes,
    list,
    map,
    timestamp,
    duration,
    type,
    handle,
    parameter
  };

  Type() = default;  // dyn
  Type(Kind kind) : kind_(kind) {}
  static Type list(Type element) { return Type(Kind::list, {std::move(element)}); }
  static Type map(Type key, Type value) { return Type(Kind::map, {std::move(key), std::move(value)}); }
  static Type type(Type of) { return Type(Kind::type, {std::move(of)}); }
  static Type parameter(int number) {
    Type made(Kind::parameter);
    made.number_ = number;
    return made;
  }
  std::string text() const;  // "int", "list(string)", "map(string, dyn)", "google.protobuf.Timestamp" ...

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  int number() const { return number_; }
  const std::vector<Type>& arguments() const { return arguments_ ? *arguments_ : kNone; }

  friend bool operator==(const Type& a, const Type& b) {
    return a.kind_ == b.kind_ && a.number_ == b.number_ && a.arguments() == b.arguments();
  }

 private:
  Type(Kind kind, std::vector<Type> arguments);
  static const std::vector<Type> kNone;

  Kind kind_ = Kind::dyn;
  int number_ = 0;
  int depth_ = 1;
  std::shared_ptr<const std::vector<Type>> arguments_;
};

// What text() writes, and "timestamp", "duration" and "list", "map" (of dyn) besides.
std::optional<Type> parse_type(std::string_view text);

}  // namespace sallyport::expr
