#include "relay/domain/retention.h"

#include "relay/api/fields.h"
#include "relay/api/notes.h"
#include "relay/api/replies.h"
#include "relay/api/resources.h"
#include "relay/api/retention_shapes.h"
#include "relay/api/services.h"
#include "shared/base/json.h"
#include "shared/crypto/digest.h"

#include <fmt/format.h>

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

using domain::RetentionClass;
using domain::RetentionLevel;
using domain::RetentionLevels;
using domain::RetentionLimits;

std::string tag_of(const RetentionLimits& set) {
  return '"' + hex(crypto::sha256(to_json(limits_shape(set)))).substr(0, 16) + '"';
}

Answer answer_of(const Value& shown, const RetentionLimits& set) {
  auto response = json_response(200, shown);
  response.headers.set("ETag", tag_of(set));
  return {std::move(response)};
}

bool is_other_tag(const Call& call, const RetentionLimits& set) {
  return call.names_state() && call.if_match != tag_of(set);
}

// All that the body sets: its members were checked by their fields.
RetentionLimits limits_of(const Call& call, RetentionLevel level) {
  RetentionLimits limits;
  for (const auto one : domain::kRetentionClasses) {
    const auto* written = call.body.find(domain::to_string(one));
    if (written == nullptr || written->is_null()) continue;
    const auto kept = domain::parse_retention(level, one, written->as_string());
    if (kept) limits[one] = *kept;
  }
  return limits;
}

// What is set anew beyond what the platform allows; what was set before the platform allowed less may stay.
std::optional<Answer> refuse_too_long(const RetentionLevels& before, const RetentionLimits& wanted) {
  for (const auto one : domain::kRetentionClasses) {
    const auto allowed = domain::allowed_by(before.platform, one);
    const auto& asked = wanted[one];
    if (!asked || *asked <= allowed || asked == before.organisation[one]) continue;
    return unfit(
        fmt::format("/{}", domain::to_string(one)),
        fmt::format("must be at most {}: the platform keeps nothing longer", domain::format_retention(allowed)));
  }
  return std::nullopt;
}

// What would be kept for less than now is lost for good, so it takes a word of its own.
std::optional<Answer> ask_to_confirm(const Call& call, const RetentionLevels& before, const RetentionLevels& after) {
  if (call.text("shorten") || !domain::shortens(before, after)) return std::nullopt;
  std::string what;
  for (const auto one : domain::kRetentionClasses) {
    const auto was = domain::effective(one, before), is = domain::effective(one, after);
    if (is >= was) continue;
    what += fmt::format("{}{} would be kept for {} instead of {}", what.empty() ? "" : ", ", domain::to_string(one),
                        domain::format_retention(is), domain::format_retention(was));
  }
  return unfit(
      "/shorten",
      fmt::format("must be \"confirmed\": {}; what is older becomes unreadable and nothing brings it back", what));
}

// {"payload": {"was": "45d", "is": "30d"}} of what differs.
Said what_changed(const store::ChangedRetention& changed) {
  ValueMap detail;
  for (const auto one : domain::kRetentionClasses) {
    if (changed.before[one] == changed.now[one]) continue;
    detail.emplace(Value(domain::to_string(one)), Value(ValueMap{{Value("was"), kept_shape(changed.before[one])},
                                                                 {Value("is"), kept_shape(changed.now[one])}}));
  }
  return {"", std::move(detail)};
}

asio::awaitable<Result<Answer>> get_retention(Services& services, Call call) {
  SP_CO_TRY(const auto levels, co_await services.stores.retentions.find(call.caller.org));
  co_return answer_of(organisation_shape(levels), levels.organisation);
}

asio::awaitable<Result<Answer>> get_platform_retention(Services& services, Call) {
  SP_CO_TRY(const auto limits, co_await services.stores.retentions.find_platform());
  co_return answer_of(platform_shape(limits), limits);
}

// What the store made of it, or 412 when the caller named a state and somebody was quicker. `shown` is how it stands
// now.
asio::awaitable<Result<Answer>> settled(Services& services, Call call, Result<store::ChangedRetention> changed,
                                        Value shown) {
  if (!changed && changed.error().code == Errc::conflict && call.names_state())
    co_return changed_meanwhile("retention");
  if (!changed) co_return std::unexpected(std::move(changed).error());
  services.retention.forget();
  if (!*call.ticket.stored) SP_CO_CHECK(co_await record_apart(services, call));
  co_return answer_of(shown, changed->now);
}

asio::awaitable<Result<Answer>> set_retention(Services& services, Call call) {
  call.ticket.record.target = "organisation:" + call.caller.org.value;
  SP_CO_TRY(const auto before, co_await services.stores.retentions.find(call.caller.org));
  if (is_other_tag(call, before.organisation)) co_return changed_meanwhile("retention");
  const RetentionLevels after{before.platform, limits_of(call, RetentionLevel::organisation)};
  if (auto refusal = refuse_too_long(before, after.organisation)) co_return *std::move(refusal);
  if (auto question = ask_to_confirm(call, before, after)) co_return *std::move(question);
  auto note = note_of<store::ChangedRetention>(services, call, {}, what_changed);
  auto changed = co_await services.stores.retentions.set(
      call.caller.org, {.wanted = after.organisation, .only_if = before.organisation}, std::move(note));
  if (changed) services.retention_changed(call.caller.org);
  co_return co_await settled(services, std::move(call), std::move(changed), organisation_shape(after));
}

asio::awaitable<Result<Answer>> set_platform_retention(Services& services, Call call) {
  call.ticket.record.target = "platform";
  SP_CO_TRY(const auto before, co_await services.stores.retentions.find_platform());
  if (is_other_tag(call, before)) co_return changed_meanwhile("retention");
  const auto wanted = limits_of(call, RetentionLevel::platform);
  if (auto question = ask_to_confirm(call, {.platform = before}, {.platform = wanted})) co_return *std::move(question);
  auto note = note_of<store::ChangedRetention>(services, call, {}, what_changed);
  auto changed =
      co_await services.stores.retentions.set_platform({.wanted = wanted, .only_if = before}, std::move(note));
  co_return co_await settled(services, std::move(call), std::move(changed), platform_shape(wanted));
}

template <RetentionLevel level, RetentionClass one>
std::string fault_of_retention(std::string_view text) {
  const auto parsed = domain::parse_retention(level, one, text);
  return parsed ? "" : parsed.error().message;
}

template <RetentionLevel level, RetentionClass one>
constexpr Field term(std::string_view name) {
  return {.name = name, .presence = Presence::clearable, .most = 16, .fault = fault_of_retention<level, one>};
}

constexpr std::array<std::string_view, 1> kConfirmed{"confirmed"};
constexpr Field kShorten{.name = "shorten", .among = kConfirmed};

constexpr auto kOfOrganisation = RetentionLevel::organisation;
constexpr std::array kOrderFields{term<kOfOrganisation, RetentionClass::payload>("payload"),
                                  term<kOfOrganisation, RetentionClass::logs>("logs"),
                                  term<kOfOrganisation, RetentionClass::audit>("audit"),
                                  term<kOfOrganisation, RetentionClass::archive>("archive"), kShorten};
constexpr Schema kOrder{"RetentionOrder", kOrderFields};

constexpr auto kOfPlatform = RetentionLevel::platform;
constexpr std::array kPlatformOrderFields{
    term<kOfPlatform, RetentionClass::payload>("payload"),         term<kOfPlatform, RetentionClass::logs>("logs"),
    term<kOfPlatform, RetentionClass::server_logs>("server_logs"), term<kOfPlatform, RetentionClass::audit>("audit"),
    term<kOfPlatform, RetentionClass::archive>("archive"),         kShorten};
constexpr Schema kPlatformOrder{"PlatformRetentionOrder", kPlatformOrderFields};

constexpr std::array kRoutes{
    Route{.id = "get_retention",
          .pattern = "/v1/retention",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::organisation_read,
          .response = "Retention",
          .handler = get_retention},
    Route{.id = "set_retention",
          .method = http::Method::put,
          .pattern = "/v1/retention",
          .least_role = domain::Role::owner,
          .scope = domain::Scope::organisation_write,
          .body = Body::json,
          .request = &kOrder,
          .response = "Retention",
          .repeat = Repeat::idempotent,
          .audited = "retention.set",
          .handler = set_retention},
    Route{.id = "get_platform_retention",
          .pattern = "/v1/platform/retention",
          .reach = Reach::platform,
          .scope = domain::Scope::platform_read,
          .response = "PlatformRetention",
          .handler = get_platform_retention},
    Route{.id = "set_platform_retention",
          .method = http::Method::put,
          .pattern = "/v1/platform/retention",
          .reach = Reach::platform,
          .scope = domain::Scope::platform_write,
          .body = Body::json,
          .request = &kPlatformOrder,
          .response = "PlatformRetention",
          .repeat = Repeat::idempotent,
          .audited = "retention.limit",
          .handler = set_platform_retention},
};

}  // namespace

std::span<const Route> retention_routes() { return kRoutes; }

}  // namespace sallyport::api
