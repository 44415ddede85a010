#include "relay/cli/tunnel_options.h"

#include "shared/base/text.h"

#include <fmt/format.h>

namespace sallyport::cli {
namespace {

constexpr std::chrono::hours kLongestLife{24 * 366};  // the relay's, too

// A duration from now, or an instant.
std::optional<WallTime> end_of(std::string_view when, WallTime now) {
  const auto duration = parse_duration(when);
  if (!duration) return parse_rfc3339(when);
  return *duration > kLongestLife ? std::nullopt : std::optional(now + *duration);
}

ValueMap limits_of(const Arguments& arguments) {
  ValueMap limits;
  if (const auto most = arguments.number("connections")) limits.emplace(Value("connections"), Value(*most));
  if (const auto rate = arguments.number("rate")) limits.emplace(Value("bytes_per_second"), Value(*rate));
  if (const auto idle = parse_duration(arguments.get("idle"))) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(*idle);
    limits.emplace(Value("idle_seconds"), Value(static_cast<std::int64_t>(seconds.count())));
  }
  if (arguments.has("no-rate")) limits.emplace(Value("bytes_per_second"), Value(std::int64_t{0}));
  if (arguments.has("no-idle")) limits.emplace(Value("idle_seconds"), Value(std::int64_t{0}));
  return limits;
}

Value texts_of(const Arguments& arguments, std::string_view option) {
  ValueList texts;
  for (const auto& text : arguments.all(option)) texts.emplace_back(text);
  return Value(std::move(texts));
}

ValueMap access_of(const Arguments& arguments) {
  ValueMap access;
  if (arguments.has("role") || arguments.has("no-role")) access.emplace(Value("roles"), texts_of(arguments, "role"));
  if (arguments.has("token") || arguments.has("no-token"))
    access.emplace(Value("tokens"), texts_of(arguments, "token"));
  return access;
}

}  // namespace

Result<void> check_tunnel_options(const Arguments& arguments) {
  const auto when = arguments.get("expires");
  if (arguments.has("expires") && !end_of(when, WallTime()))
    return fail(Errc::invalid, fmt::format("--expires takes a duration up to 366d, such as 8h, or a time such as "
                                           "2026-01-31T09:30:00Z, not '{}'",
                                           when));
  const auto idle = parse_duration(arguments.get("idle"));
  if (idle && *idle < std::chrono::seconds(1)) return fail(Errc::invalid, "--idle takes a duration of at least 1s");
  return {};
}

ValueMap tunnel_terms(const Context& context, const Arguments& arguments) {
  ValueMap terms;
  if (arguments.has("from")) terms.emplace(Value("networks"), texts_of(arguments, "from"));
  if (auto access = access_of(arguments); !access.empty()) terms.emplace(Value("access"), Value(std::move(access)));
  if (auto limits = limits_of(arguments); !limits.empty()) terms.emplace(Value("limits"), Value(std::move(limits)));
  const auto end = end_of(arguments.get("expires"), context.clock->wall());
  if (end) terms.emplace(Value("expires_at"), Value(rfc3339(*end)));
  if (arguments.has("no-expires")) terms.emplace(Value("expires_at"), Value());
  return terms;
}

}  // namespace sallyport::cli
