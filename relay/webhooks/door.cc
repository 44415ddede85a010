#include "relay/webhooks/door.h"

#include "relay/webhooks/delivery.h"
#include "relay/webhooks/secrets.h"
#include "shared/async/sources.h"
#include "shared/base/json.h"
#include "shared/http/problem.h"
#include "shared/recipe/catalogue.h"
#include "shared/recipe/event_data.h"

#include <boost/asio/this_coro.hpp>

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

namespace sallyport::webhooks {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds kSoon{10};
constexpr std::chrono::seconds kLater{60};

http::Response problem(int status, std::string code, std::string detail) {
  return http::to_response(http::Problem{status, std::move(code), std::move(detail), {}});
}

http::Response with_wait(http::Response response, std::chrono::seconds wait) {
  response.headers.set("Retry-After", std::to_string(wait.count()));
  return response;
}

http::Response json(int status, ValueMap body) {
  http::Response response{.status = status};
  response.headers.set("Content-Type", "application/json");
  response.body = to_json(Value(std::move(body)));
  return response;
}

std::string_view word_of(proof::Doubt doubt) {
  switch (doubt) {
    case proof::Doubt::missing: return "missing";
    case proof::Doubt::malformed: return "malformed";
    case proof::Doubt::wrong: return "wrong";
    case proof::Doubt::stale: return "stale";
  }
  return "wrong";
}

Counter& deliveries(Metrics& metrics, std::string outcome) {
  return metrics.counter("sallyport_webhook_deliveries_total", "Requests to webhooks, by what came of them.",
                         {{"outcome", std::move(outcome)}});
}

}  // namespace

// One request to a webhook, from its body on. What has begun goes on to its end, even when the connection is cut.
class DeliveryExchange final : public http::Exchange {
 public:
  explicit DeliveryExchange(Door& door) : door_(door) {}
  std::size_t body_limit() const override { return recipe::kMostEventBytes; }
  asio::awaitable<http::Reply> answer(http::Request request) override {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    http::Reply reply = co_await door_.take(std::move(request));
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
    co_return reply;
  }

 private:
  Door& door_;
};

Door::Door(Parts parts, Rates rates)
    : parts_(parts),
      sources_(rates.sources),
      proven_(rates.webhooks),
      repeated_(parts.clock),
      decoy_(make_secret()),
      started_(deliveries(parts.metrics, "started")),
      repeated_deliveries_(deliveries(parts.metrics, "repeated")),
      refused_(deliveries(parts.metrics, "refused")),
      slowed_(deliveries(parts.metrics, "slowed")),
      other_(deliveries(parts.metrics, "other")) {}

asio::awaitable<http::Admission> Door::admit(const http::RequestHead& head) {
  if (head.segments.size() != 2 || head.segments.front() != "hooks") co_return co_await parts_.others.admit(head);
  if (head.method != http::Method::post) {
    auto response = problem(405, "method", "This path does not take this method.");
    response.headers.set("Allow", "POST");
    co_return response;
  }
  const auto verdict = sources_.take(source_of(head.peer), parts_.clock.steady());
  if (verdict.admit == Admit::no) {
    slowed_.add();
    co_return with_wait(problem(429, "exhausted", "Too many requests; slow down."), verdict.reset);
  }
  co_return std::make_unique<DeliveryExchange>(*this);
}

asio::awaitable<http::Response> Door::take(http::Request request) {
  auto webhook = co_await believed(request);
  if (!webhook) co_return std::move(webhook).error();
  const auto verdict = proven_.take(webhook->id.value, parts_.clock.steady());
  if (verdict.admit == Admit::no) {
    slowed_.add();
    co_return with_wait(problem(429, "exhausted", "Too many deliveries; slow down."), verdict.reset);
  }
  co_return co_await start(*std::move(webhook), std::move(request));
}

asio::awaitable<std::expected<store::Webhook, http::Response>> Door::believed(const http::Request& request) {
  const auto& head = request.head;
  Result<store::Webhook> found = fail(Errc::not_found, "no such webhook");
  if (crypto::is_id<WebhookId>(head.segments[1]))
    found = co_await parts_.webhooks.find_for_delivery(WebhookId(head.segments[1]));
  if (!found && found.error().code != Errc::not_found) co_return std::unexpected(failed(head, nullptr, found.error()));
  const store::Webhook* known = found ? &*found : nullptr;
  std::vector<Secret> secrets;
  secrets.push_back(decoy_.duplicate());
  if (known != nullptr) {
    auto opened = co_await secrets_of(*known);
    const bool away = !opened && opened.error().code != Errc::not_found && opened.error().code != Errc::invalid;
    if (away) co_return std::unexpected(failed(head, known, opened.error()));
    if (!opened) co_return std::unexpected(co_await refuse(head, known, "unreadable"));
    secrets = *std::move(opened);
  }
  const auto terms = known == nullptr ? terms_of(store::Webhook()) : terms_of(*known);
  const auto proven = proof::check(terms, secrets, head.headers, request.body, parts_.clock.wall());
  if (!proven) co_return std::unexpected(co_await refuse(head, known, word_of(proven.error())));
  if (known == nullptr) co_return std::unexpected(co_await refuse(head, known, "wrong"));
  co_return *std::move(found);
}

asio::awaitable<Result<std::vector<Secret>>> Door::secrets_of(const store::Webhook& webhook) {
  SP_CO_TRY(const auto text,
            co_await parts_.envelope.open(secrets_identity(webhook.org, webhook.id), webhook.sealed_secrets));
  SP_CO_TRY(const auto held, split_secrets(text));
  co_return good_at(held, parts_.clock.wall());
}

// The answer is the same for everybody who proves nothing; why stands in the log and in the organisation's ledger.
asio::awaitable<http::Response> Door::refuse(const http::RequestHead& head, const store::Webhook* known,
                                             std::string_view why) {
  refused_.add();
  if (known != nullptr) {
    if (const auto unsaid = repeated_.turn_of(known->id.value, why)) {
      parts_.log.warn("webhook.refused", {{"webhook", known->id.value}, {"peer", head.peer}, {"why", why}});
      AuditRecord record{.actor = "webhook:" + known->id.value,
                         .action = "webhook.deliver",
                         .target = "webhook:" + known->id.value,
                         .outcome = AuditOutcome::refused,
                         .detail = {{"because", why}, {"from", head.peer}},
                         .request_id = head.request_id};
      if (*unsaid > 0) record.detail.emplace("unsaid", *unsaid);
      const auto written = co_await parts_.audit.record(known->org, std::move(record));
      if (!written) parts_.log.error("audit.failed", {{"reason", written.error().message}});
    }
  }
  co_return problem(401, "unauthenticated", "The request does not prove that a sender of this address has sent it.");
}

store::AuditNote<store::AddedJob> Door::note_of(const store::Webhook& webhook, const http::RequestHead& head) const {
  AuditRecord record{.actor = "webhook:" + webhook.id.value,
                     .action = "job.start",
                     .detail = {{"from", head.peer}, {"recipe", webhook.recipe.value}},
                     .request_id = head.request_id};
  Audit::Complete<store::AddedJob> complete = [](AuditRecord& full, const store::AddedJob& added) {
    full.target = "job:" + added.job.id.value;
    full.detail.emplace("version", static_cast<std::int64_t>(added.job.version));
    full.detail.emplace("duplicate", added.outcome == store::AddOutcome::duplicate);
  };
  return parts_.audit.note<store::AddedJob>(webhook.org, std::move(record), std::move(complete));
}

asio::awaitable<http::Response> Door::start(store::Webhook webhook, http::Request request) {
  const auto head = request.head;
  auto delivery = make_delivery(webhook, std::move(request));
  if (!delivery) {
    other_.add();
    co_return http::to_response(delivery.error());
  }
  jobs::StartEvent event{.recipe = webhook.recipe,
                         .uses = std::string(recipe::kWebhookTrigger),
                         .natural_key = std::move(delivery->natural_key),
                         .data = std::move(delivery->data)};
  const auto added = co_await parts_.jobs.start_event(webhook.org, std::move(event), note_of(webhook, head));
  if (!added) co_return failed(head, &webhook, added.error());
  (added->outcome == store::AddOutcome::duplicate ? repeated_deliveries_ : started_).add();
  co_return json(202, {{"job", added->job.id.value}});
}

// Messages stay inside: they may tell of the recipe, or of data.
http::Response Door::failed(const http::RequestHead& head, const store::Webhook* known, const Error& error) {
  other_.add();
  switch (error.code) {
    case Errc::not_found:
      return with_wait(problem(503, "no_recipe", "No active recipe takes what is sent here now."), kLater);
    case Errc::conflict: return json(200, {{"job", Value()}, {"skipped", true}});
    case Errc::invalid: return problem(422, "unfit", "The recipe cannot be started with this request.");
    case Errc::too_large: return problem(413, "too_large", "The request is more than a job may start with.");
    case Errc::exhausted:
      return with_wait(problem(429, "exhausted", "Too many jobs are waiting; try again later."), kSoon);
    default: break;
  }
  parts_.log.error("webhook.failed", {{"request_id", head.request_id},
                                      {"webhook", known == nullptr ? "" : known->id.value},
                                      {"code", to_string(error.code)},
                                      {"reason", error.message}});
  return with_wait(problem(503, "unavailable", "Nothing can be taken now; try again later."), kSoon);
}

}  // namespace sallyport::webhooks
