#include "relay/cli/arguments.h"

#include "relay/cli/relay_address.h"
#include "shared/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace sallyport::cli {
namespace {

constexpr std::array<Option, 3> kCommon{{
    {"output", "table|json|yaml", "how to print (also -o)"},
    {"relay", "URL", "the relay's address (default: SALLYPORT_RELAY or the login)"},
    {"help", "", "what this command does (also -h)"},
}};

std::optional<std::int64_t> parse_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

struct Range {
  std::int64_t least = 1;
  std::optional<std::int64_t> most = std::nullopt;
};

// Nothing: a value of this kind is no number.
std::optional<Range> range_of(std::string_view kind) {
  if (kind == "N") return Range{};
  const auto dots = kind.find("..");
  if (dots == std::string_view::npos) return std::nullopt;
  const auto least = parse_number(kind.substr(0, dots)), most = parse_number(kind.substr(dots + 2));
  if (!least || !most) return std::nullopt;
  return Range{*least, most};
}

Result<void> check_number(std::string_view what, const Range& range, std::string_view given) {
  const auto number = parse_number(given);
  if (number && *number >= range.least && (!range.most || *number <= *range.most)) return {};
  const auto upto = range.most ? fmt::format(" to {}", *range.most) : std::string();
  return fail(Errc::invalid,
              fmt::format("{} takes a whole number from {}{}, not '{}'", what, range.least, upto, given));
}

// Behind the first word of a program, what looks like an option may be the program's, but only a -- makes it so.
std::string_view program_hint(const Command& command, std::size_t positionals) {
  const bool may_be = !command.positionals.empty() && positionals >= command.positionals.size() &&
                      kind_of(command.positionals.back()) == "COMMAND";
  return may_be ? "; if it is the COMMAND's, that goes behind --" : "";
}

std::unexpected<Error> unknown_option(const Command& command, std::string_view word, std::size_t positionals) {
  const auto of_program = program_hint(command, positionals);
  if (!of_program.empty()) return fail(Errc::invalid, fmt::format("unknown option {}{}", word, of_program));
  std::vector<std::string_view> names;
  std::ranges::transform(command.options, std::back_inserter(names), &Option::name);
  std::ranges::transform(kCommon, std::back_inserter(names), &Option::name);
  const auto hint = word.starts_with("--") ? nearest(word.substr(2), names) : std::nullopt;
  return fail(Errc::invalid,
              fmt::format("unknown option {}{}", word, hint ? fmt::format(" (did you mean --{}?)", *hint) : ""));
}

// "-x": nothing that a value or an expression looks like.
bool is_short_option(std::string_view word) {
  return word.size() == 2 && word[0] == '-' &&
         ((word[1] >= 'a' && word[1] <= 'z') || (word[1] >= 'A' && word[1] <= 'Z'));
}

bool may_repeat(const Command& command) {
  return !command.positionals.empty() && command.positionals.back().find("...") != std::string_view::npos;
}

struct Split {
  std::vector<std::string> positionals;
  Arguments::Options options;
};

// Takes the option at words[at]; gives how many words it was.
Result<std::size_t> take_option(const Command& command, std::span<const std::string> words, Split& into) {
  auto word = long_form(words[0]);
  const auto equals = word.find('=');
  const auto name = word.substr(2, equals == std::string_view::npos ? equals : equals - 2);
  const Option* option = find_option(command, name);
  if (option == nullptr) return unknown_option(command, word.substr(0, equals), into.positionals.size());
  const auto of_program = program_hint(command, into.positionals.size());
  const bool joined = equals != std::string_view::npos;
  if (option->value.empty()) {
    if (joined) return fail(Errc::invalid, fmt::format("--{} takes no value{}", name, of_program));
    into.options[std::string(name)] = {""};
    return 1;
  }
  if (!joined && words.size() < 2)
    return fail(Errc::invalid, fmt::format("--{} needs {}{}", name, option->value, of_program));
  into.options[std::string(name)].push_back(joined ? std::string(word.substr(equals + 1)) : words[1]);
  return joined ? 1 : 2;
}

Result<Split> split(const Command& command, std::span<const std::string> words) {
  Split parts;
  while (!words.empty()) {
    const auto word = long_form(words[0]);
    if (word == "--" && words.size() == 1 && may_repeat(command))
      return fail(Errc::invalid, fmt::format("nothing follows --: {} goes there", kind_of(command.positionals.back())));
    if (word == "--") {
      parts.positionals.insert(parts.positionals.end(), words.begin() + 1, words.end());
      break;
    }
    if (is_short_option(word)) return unknown_option(command, word, parts.positionals.size());
    std::size_t used = 1;
    if (word.starts_with("--")) {
      SP_TRY(used, take_option(command, words, parts));
    } else {
      parts.positionals.emplace_back(word);
    }
    words = words.subspan(used);
  }
  return parts;
}

// `what` is "--limit" or the positional's name.
Result<void> check_value(std::string_view what, std::string_view kind, std::string_view given) {
  if (const auto range = range_of(kind)) return check_number(what, *range, given);
  if (kind == "TIME" && !parse_rfc3339(given))
    return fail(Errc::invalid, fmt::format("{} takes a time such as 2026-01-31T09:30:00Z, not '{}'", what, given));
  if (kind == "DURATION" && !parse_duration(given))
    return fail(Errc::invalid, fmt::format("{} takes a duration such as 30m, 24h or 90d, not '{}'", what, given));
  if (kind == "URL") {
    if (const auto address = relay_address(given); !address)
      return fail(Errc::invalid, fmt::format("{} {}", what, address.error().message));
  }
  const auto choices = choices_of(kind);
  if (choices.empty() || std::ranges::find(choices, given) != choices.end()) return {};
  const auto hint = nearest(given, choices);
  return fail(Errc::invalid, fmt::format("{} takes {}, not '{}'{}", what, fmt::join(choices, ", "), given,
                                         hint ? fmt::format(" (did you mean {}?)", *hint) : ""));
}

Result<void> check_positionals(const Command& command, const Split& parts) {
  const auto& names = command.positionals;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i < parts.positionals.size()) {
      SP_CHECK(check_value("this command", kind_of(names[i]), parts.positionals[i]));
    } else if (!names[i].starts_with('[')) {
      return fail(Errc::invalid, fmt::format("{} is missing", names[i]));
    }
  }
  if (parts.positionals.size() > names.size() && !may_repeat(command))
    return fail(Errc::invalid, fmt::format("unexpected word '{}'", parts.positionals[names.size()]));
  return {};
}

Result<void> check_options(const Command& command, const Split& parts) {
  for (const auto& [name, values] : parts.options) {
    for (const auto& value : values) {
      auto checked = check_value("--" + name, kind_of(find_option(command, name)->value), value);
      if (checked) continue;
      checked.error().message += program_hint(command, parts.positionals.size());
      return checked;
    }
  }
  for (const auto& option : command.options) {
    if (option.need == Need::required && !parts.options.contains(option.name))
      return fail(Errc::invalid, fmt::format("{} is needed: {}", written(option), option.help));
  }
  return {};
}

}  // namespace

std::string written(const Option& option) {
  return fmt::format("--{}{}{}", option.name, option.value.empty() ? "" : " ", option.value);
}

std::optional<std::int64_t> Arguments::number(std::string_view option) const {
  return has(option) ? parse_number(get(option)) : std::nullopt;
}

std::span<const Option> common_options() { return kCommon; }

const Option* find_option(const Command& command, std::string_view name) {
  const auto own = std::ranges::find(command.options, name, &Option::name);
  if (own != command.options.end()) return &*own;
  const auto common = std::ranges::find(kCommon, name, &Option::name);
  return common != kCommon.end() ? &*common : nullptr;
}

std::string_view long_form(std::string_view word) {
  if (word == "-o") return "--output";
  if (word == "-f") return "--file";
  if (word == "-h") return "--help";
  return word;
}

std::string_view kind_of(std::string_view positional) {
  if (positional.starts_with('[')) positional.remove_prefix(1);
  if (positional.ends_with(']')) positional.remove_suffix(1);
  if (positional.ends_with("...")) positional.remove_suffix(3);
  return positional;
}

std::vector<std::string_view> choices_of(std::string_view kind) {
  std::vector<std::string_view> words;
  if (kind.find('|') == std::string_view::npos) return words;
  for (;;) {
    const auto bar = kind.find('|');
    words.push_back(kind.substr(0, bar));
    if (bar == std::string_view::npos) return words;
    kind.remove_prefix(bar + 1);
  }
}

Result<Arguments> parse_arguments(const Command& command, std::span<const std::string> words) {
  SP_TRY(auto parts, split(command, words));
  const bool asks_for_help = parts.options.contains("help");
  if (!asks_for_help) {
    SP_CHECK(check_positionals(command, parts));
    SP_CHECK(check_options(command, parts));
  }
  Arguments arguments(std::move(parts.positionals), std::move(parts.options));
  if (!asks_for_help && command.check) SP_CHECK(command.check(arguments));
  return arguments;
}

}  // namespace sallyport::cli
