#include "agent/connectors/http/tokens.h"

#include "shared/base/json.h"

#include <algorithm>
#include <array>

namespace sallyport::connectors::http {
namespace {

using std::chrono::seconds;

constexpr std::size_t kMostAnswer = 64u << 10;
constexpr std::size_t kMostToken = 16u << 10;
constexpr seconds kUnknownLifetime{300};  // the server did not say
constexpr seconds kLongest = std::chrono::hours(24);
constexpr seconds kEarly{30};  // before its end a token is renewed; of a short life a tenth

bool is_bearer(const Value* type) {
  if (type == nullptr || !type->is(Value::Kind::string)) return false;
  constexpr std::string_view kBearer = "bearer";
  return std::ranges::equal(type->as_string(), kBearer, [](char a, char b) { return (a | 0x20) == b; });
}

bool is_token(const Value* token) {
  if (token == nullptr || !token->is(Value::Kind::string)) return false;
  const auto& text = token->as_string();
  return !text.empty() && text.size() <= kMostToken &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

}  // namespace

StepResult<IssuedToken> parse_token(std::string_view answer) {
  const auto value = parse_json(answer, {.max_bytes = kMostAnswer});
  if (!value || !is_token(value->find("access_token")) || !is_bearer(value->find("token_type")))
    return step_fail("format", "the token endpoint did not answer with a bearer token");
  const auto* refresh = value->find("refresh_token");
  if (refresh != nullptr && !is_token(refresh))
    return step_fail("format", "the token endpoint answered with a refresh token that is none");
  IssuedToken issued{{}, kUnknownLifetime, {}};
  if (refresh != nullptr) issued.refresh = Secret::take(std::string(refresh->as_string()));
  issued.value = Secret::take(std::string(value->find("access_token")->as_string()));
  const auto* lifetime = value->find("expires_in");
  if (lifetime != nullptr && lifetime->is(Value::Kind::int64))
    issued.lifetime = std::clamp(seconds(lifetime->as_int()), seconds(0), kLongest);
  return issued;
}

Refusal read_refusal(std::string_view answer) {
  constexpr std::array<std::string_view, 5> kOfClient{"invalid_client", "invalid_request", "unauthorized_client",
                                                      "unsupported_grant_type", "invalid_scope"};
  const auto value = parse_json(answer, {.max_bytes = kMostAnswer});
  const auto* error = value ? value->find("error") : nullptr;
  if (error == nullptr || !error->is(Value::Kind::string)) return Refusal::unclear;
  if (error->as_string() == "invalid_grant") return Refusal::of_grant;
  return std::ranges::find(kOfClient, error->as_string()) != kOfClient.end() ? Refusal::of_client : Refusal::unclear;
}

// Of the one caller that renews; under the mutex when it begins.
class Tokens::Turn {
 public:
  explicit Turn(Tokens& tokens) : tokens_(tokens) { tokens_.renewing_ = true; }
  ~Turn() {
    {
      const std::lock_guard lock(tokens_.mutex_);
      tokens_.renewing_ = false;
    }
    tokens_.renewed_.notify_all();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Tokens& tokens_;
};

bool Tokens::is_good(std::uint64_t credentials, SteadyTime now) const {
  return !token_.empty() && credentials_ == credentials && now < good_until_;
}

StepResult<Tokens::Held> Tokens::take(std::uint64_t credentials, const Renew& renew, const CallLimits& limits) {
  std::unique_lock lock(mutex_);
  while (!is_good(credentials, limits.clock.steady()) && renewing_) {
    const auto failures = failures_;
    const bool ended = renewed_.wait_until(lock, limits.stop, limits.deadline, [this] { return !renewing_; });
    if (limits.stop.stop_requested()) return step_fail("cancelled", "stopped");
    if (!ended) return step_fail("timeout", "the token endpoint did not answer in time");
    if (failures_ != failures && failure_.error_class() != "cancelled" && failure_.error_class() != "timeout")
      return std::unexpected(failure_);
  }
  if (is_good(credentials, limits.clock.steady())) return Held{token_.duplicate(), number_};
  const Turn turn(*this);
  lock.unlock();
  const auto began = limits.clock.steady();
  auto issued = renew();
  return finish(std::move(issued), credentials, began);
}

StepResult<Tokens::Held> Tokens::finish(StepResult<IssuedToken> issued, std::uint64_t credentials, SteadyTime began) {
  const std::lock_guard lock(mutex_);
  if (!issued) {
    ++failures_;
    failure_ = issued.error();
    return std::unexpected(std::move(issued).error());
  }
  token_ = std::move(issued->value);
  credentials_ = credentials;
  good_until_ = began + issued->lifetime - std::min(kEarly, issued->lifetime / 10);
  return Held{token_.duplicate(), ++number_};
}

void Tokens::drop(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  if (number == number_) token_ = Secret();
}

}  // namespace sallyport::connectors::http
