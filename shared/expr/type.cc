#include "shared/expr/type.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::expr {
namespace {

struct Name {
  std::string_view text;
  Type::Kind kind;
};
// The first name of a kind is the one that is written.
constexpr std::array kNames = {
    Name{"dyn", Type::Kind::dyn},
    Name{"null_type", Type::Kind::null},
    Name{"bool", Type::Kind::boolean},
    Name{"int", Type::Kind::int64},
    Name{"uint", Type::Kind::uint64},
    Name{"double", Type::Kind::float64},
    Name{"string", Type::Kind::string},
    Name{"bytes", Type::Kind::bytes},
    Name{"list", Type::Kind::list},
    Name{"map", Type::Kind::map},
    Name{"google.protobuf.Timestamp", Type::Kind::timestamp},
    Name{"timestamp", Type::Kind::timestamp},
    Name{"google.protobuf.Duration", Type::Kind::duration},
    Name{"duration", Type::Kind::duration},
    Name{"type", Type::Kind::type},
    Name{"handle", Type::Kind::handle},
};
constexpr std::string_view kParameters = "ABCD";
constexpr std::size_t kMaxNesting = 16;

class TypeParser {
 public:
  explicit TypeParser(std::string_view text) : rest_(text) {}

  std::optional<Type> whole() {
    auto type = one(0);
    skip_blanks();
    return rest_.empty() ? type : std::nullopt;
  }

 private:
  void skip_blanks() { rest_.remove_prefix(std::min(rest_.find_first_not_of(' '), rest_.size())); }
  bool take(char c) {
    skip_blanks();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::optional<Type> one(std::size_t nesting) {
    skip_blanks();
    const auto name = rest_.substr(0, rest_.find_first_of(" ,()"));
    rest_.remove_prefix(name.size());
    if (nesting > kMaxNesting) return std::nullopt;
    if (name.size() == 1 && kParameters.contains(name[0]))
      return Type::parameter(static_cast<int>(kParameters.find(name[0])));
    const auto known = std::ranges::find(kNames, name, &Name::text);
    if (known == kNames.end()) return std::nullopt;
    std::vector<Type> arguments;
    if (take('(')) {
      do {
        auto argument = one(nesting + 1);
        if (!argument) return std::nullopt;
        arguments.push_back(*std::move(argument));
      } while (take(','));
      if (!take(')')) return std::nullopt;
    }
    return made(known->kind, std::move(arguments));
  }
  static std::optional<Type> made(Type::Kind kind, std::vector<Type> arguments) {
    const std::size_t wanted = kind == Type::Kind::map                                ? 2
                               : kind == Type::Kind::list || kind == Type::Kind::type ? 1
                                                                                      : 0;
    if (!arguments.empty() && arguments.size() != wanted) return std::nullopt;
    arguments.resize(wanted);
    if (kind == Type::Kind::list) return Type::list(arguments[0]);
    if (kind == Type::Kind::map) return Type::map(arguments[0], arguments[1]);
    if (kind == Type::Kind::type) return Type::type(arguments[0]);
    return Type(kind);
  }

  std::string_view rest_;
};

}  // namespace

const std::vector<Type> Type::kNone;

Type::Type(Kind kind, std::vector<Type> arguments) : kind_(kind) {
  constexpr int kMaxDepth = 32;
  for (auto& argument : arguments) {
    if (argument.depth_ >= kMaxDepth) argument = Type();
    depth_ = std::max(depth_, argument.depth_ + 1);
  }
  arguments_ = std::make_shared<const std::vector<Type>>(std::move(arguments));
}

std::string Type::text() const {
  if (kind_ == Kind::parameter) return "dyn";
  std::string out(std::ranges::find(kNames, kind_, &Name::kind)->text);
  if (kind_ == Kind::type || arguments().empty()) return out;
  for (std::size_t i = 0; i < arguments().size(); ++i) out += (i == 0 ? "(" : ", ") + arguments()[i].text();
  return out + ")";
}

std::optional<Type> parse_type(std::string_view text) { return TypeParser(text).whole(); }

}  // namespace sallyport::expr
