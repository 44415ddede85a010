#include "agent/connectors/listen/listener.h"

#include "agent/connectors/listen/proof.h"
#include "agent/connectors/listen/request_event.h"
#include "agent/connectors/translate.h"
#include "shared/async/sources.h"
#include "shared/async/timeout.h"
#include "shared/base/json.h"
#include "shared/http/problem.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <utility>

namespace sallyport::connectors::listen {
namespace asio = boost::asio;
using namespace std::chrono_literals;
using http::Response;
namespace {

constexpr auto kCertificateAge = 60s;  // a new one is in use after as long
constexpr std::size_t kSources = 1'024;

http::Limits limits() {
  http::Limits limits;
  limits.max_connections = 64;
  limits.max_per_source = 32;
  limits.idle = 30s;
  limits.drain = 3s;
  return limits;
}

http::ServerOptions options_of(const policy::ListenConnection& settings) {
  http::ServerOptions options;
  options.address = settings.address;
  options.port = settings.port;
  options.tls = {settings.certificate_file, settings.key.where, settings.client_ca_file};
  options.security = settings.has_tls ? http::Security::tls : http::Security::none;
  options.limits = limits();
  return options;
}

Response refusal(int status, std::string code, std::string detail) {
  return http::to_response({status, std::move(code), std::move(detail), {}});
}

Response later(std::string code, std::string detail, std::chrono::seconds pause = 10s) {
  auto response = refusal(503, std::move(code), std::move(detail));
  response.headers.set("Retry-After", std::to_string(pause.count()));
  return response;
}

bool is_type_of(const std::vector<std::string>& types, const http::Headers& headers) {
  const auto* field = headers.find("Content-Type");
  if (types.empty()) return true;
  if (field == nullptr) return false;
  std::string_view type = std::string_view(*field).substr(0, field->find(';'));
  type = type.substr(0, type.find_last_not_of(" \t") + 1);
  return std::ranges::any_of(types, [&](const auto& known) { return http::equal_names(known, type); });
}

}  // namespace

// One admitted request.
class Listener::RequestExchange final : public http::Exchange {
 public:
  RequestExchange(Listener& listener, std::shared_ptr<Place> place, const policy::ListenSender& sender)
      : listener_(listener), place_(std::move(place)), sender_(sender) {}
  std::size_t body_limit() const override { return listener_.settings_.max_body; }
  asio::awaitable<http::Reply> answer(http::Request request) override {
    auto response = co_await listener_.take(place_, sender_, std::move(request));
    response.actor = "recipe:" + place_->route->recipe;
    co_return response;
  }

 private:
  Listener& listener_;
  std::shared_ptr<Place> place_;
  const policy::ListenSender& sender_;
};

Listener::Listener(Site site, const policy::Connection& connection, const asio::any_io_executor& executor)
    : site_(site),
      connection_(connection),
      settings_(*connection.listen()),
      executor_(executor),
      buckets_({.per_second = settings_.rate / 60.0, .burst = double(settings_.rate), .callers = kSources}),
      server_(executor, options_of(settings_), *this, {site.log, site.clock, metrics_}),
      tasks_(executor, [log = &site_.log](const std::string& task, const std::string& why) {
        log->error("listener.fault", {{"task", task}, {"why", why}});
      }) {}

Result<void> Listener::open() {
  if (settings_.has_tls) SP_CHECK(site_.vault.resolve(settings_.key));  // or others could have read it
  SP_CHECK(server_.listen());
  tasks_.spawn("listener", server_.run());
  if (settings_.has_tls) tasks_.spawn("certificate", renew_certificate());
  site_.log.info("listener.opened", {{"connection", connection_.name},
                                     {"address", fmt::format("{} port {}", settings_.address, settings_.port)}});
  return {};
}

asio::awaitable<void> Listener::close() {
  tasks_.stop();
  co_await tasks_.join();
  site_.log.info("listener.closed", {{"connection", connection_.name}});
}

// One that cannot be used leaves the old one in use, until that one is not believed any more.
asio::awaitable<void> Listener::renew_certificate() {
  std::string told;
  co_await asio::this_coro::throw_if_cancelled(false);
  for (;;) {
    co_await sleep_for(kCertificateAge);
    if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) co_return;
    const auto renewed = server_.reload_certificate();
    const auto why = renewed ? std::string() : renewed.error().message;
    if (std::exchange(told, why) != why && !why.empty())
      site_.log.warn("listener.certificate_failed", {{"connection", connection_.name}, {"why", why}});
  }
}

StepResult<void> Listener::add(const std::shared_ptr<Route>& route) {
  for (const auto& place : routes_) {
    if (place->route->path == route->path && place->route->method == route->method)
      return step_fail("invalid", fmt::format("the recipe {} listens for {} {} already", place->route->recipe,
                                              route->method, route->path));
  }
  routes_.push_back(std::make_shared<Place>(Place{route, 0, std::make_shared<Event>(executor_)}));
  return {};
}

asio::awaitable<void> Listener::remove(std::shared_ptr<Route> route) {
  const auto it = std::ranges::find(routes_, route, [](const auto& place) { return place->route; });
  if (it == routes_.end()) co_return;
  const auto place = std::move(*it);
  routes_.erase(it);
  place->is_leaving = true;
  while (place->under_way > 0) {
    place->idle->clear();
    co_await place->idle->wait();
  }
}

std::expected<std::shared_ptr<Listener::Place>, Response> Listener::place_for(const http::RequestHead& head) const {
  const auto method = http::to_string(head.method);
  std::vector<std::string> methods;
  for (const auto& place : routes_) {
    if (place->route->path != head.path) continue;
    if (place->route->method == method) return place;
    methods.push_back(place->route->method);
  }
  if (methods.empty())
    return std::unexpected(later("no_recipe", "No recipe takes what is sent here now.", std::chrono::seconds(60)));
  auto response = refusal(405, "method", "This method is not taken here.");
  response.headers.set("Allow", fmt::format("{}", fmt::join(methods, ", ")));
  return std::unexpected(std::move(response));
}

asio::awaitable<http::Admission> Listener::admit(const http::RequestHead& head) {
  const auto verdict = buckets_.take(source_of(head.peer), site_.clock.steady());
  if (verdict.admit == Admit::no) {
    auto response = refusal(429, "rate", "Too many requests; try again later.");
    response.headers.set("Retry-After", std::to_string(verdict.reset.count()));
    co_return response;
  }
  const auto* sender = settings_.find(head.path);
  if (sender == nullptr) co_return refusal(404, "not_found", "There is nothing here.");
  std::string unused;
  if (sender->proof == policy::SenderProof::bearer) {
    if (auto known = check_sender(*sender, head, {}, unused); !known) co_return std::move(known).error();
  }
  auto place = place_for(head);
  if (!place) co_return std::move(place).error();
  if (head.has_body() && !is_type_of(sender->content_types, head.headers))
    co_return refusal(415, "media_type", "The body has to be of another media type.");
  co_return std::make_unique<RequestExchange>(*this, *std::move(place), *sender);
}

StepResult<std::vector<Secret>> Listener::secrets_of(const policy::ListenSender& sender) const {
  std::vector<Secret> secrets;
  for (const auto* ref : {&sender.secret, &sender.other_secret}) {
    if (!*ref) continue;
    SP_TRY(auto secret, to_step(site_.vault.resolve(*ref)));
    if (secret.size() < kShortestSecret)
      return step_fail("invalid", fmt::format("the secret of {} has less than {} bytes", sender.path, kShortestSecret));
    secrets.push_back(std::move(secret));
  }
  if (secrets.empty() && sender.needs_secret()) return step_fail("not_found", "there is no secret");
  return secrets;
}

std::expected<void, Response> Listener::check_sender(const policy::ListenSender& sender, const http::RequestHead& head,
                                                     std::string_view body, std::string& identity) const {
  const auto secrets = secrets_of(sender);
  if (!secrets) {
    (void)without_settings(site_.log, connection_.name, "listening on", secrets.error());
    return std::unexpected(later("not_ready", "Nobody can be believed here now.", std::chrono::seconds(60)));
  }
  auto proven = check_proof(sender, *secrets, head.headers, body, site_.clock.wall());
  if (proven) {
    identity = std::move(proven->identity);
    return {};
  }
  const auto why = proof::explain(proven.error());
  site_.log.warn("request.refused",
                 {{"connection", connection_.name}, {"path", sender.path}, {"peer", head.peer}, {"why", why}});
  auto response = refusal(401, "proof", std::string(why));
  if (sender.proof == policy::SenderProof::bearer) response.headers.set("WWW-Authenticate", "Bearer");
  return std::unexpected(std::move(response));
}

asio::awaitable<Response> Listener::take(std::shared_ptr<Place> place, const policy::ListenSender& sender,
                                         http::Request request) {
  Proven proven;
  if (auto known = check_sender(sender, request.head, request.body, proven.identity); !known)
    co_return std::move(known).error();
  auto made = make_event(connection_.name, sender, std::move(request), proven);
  if (!made) co_return http::to_response(made.error());
  if (place->is_leaving) co_return later("no_recipe", "No recipe takes what is sent here now.");
  ++place->under_way;
  const auto taken = co_await place->route->sink(std::move(made->event));
  if (--place->under_way == 0) place->idle->set();
  if (!taken && taken.error().error_class() == "invalid")
    co_return refusal(422, "no_job", "The request can start no job: the recipe can make no key of it.");
  if (!taken) co_return later("no_room", "There is no room for another job now.");
  Response response{.status = 202, .body = to_json(Value(ValueMap{{"event", made->id}}))};
  response.headers.set("Content-Type", "application/json");
  co_return response;
}

}  // namespace sallyport::connectors::listen
