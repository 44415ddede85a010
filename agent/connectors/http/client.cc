#include "agent/connectors/http/client.h"

#include "agent/connectors/http/answers.h"
#include "agent/connectors/http/client_lease.h"
#include "agent/connectors/http/login.h"
#include "agent/connectors/libcurl.h"
#include "agent/connectors/translate.h"
#include "shared/base/text.h"

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <array>

namespace sallyport::connectors::http {
namespace {

constexpr int kMostRedirects = 5;
constexpr std::array kRedirects{301, 302, 303, 307, 308};

Exchange failed(StepError error) {
  Exchange exchange;
  exchange.error = std::move(error);
  return exchange;
}

// Where an answer sends a call that only reads; nullptr when it is to be taken as it is.
const std::string* redirect_of(const Call& call, const Exchange& exchange) {
  const bool reads = call.method == "GET" || call.method == "HEAD";
  const bool redirects = std::ranges::find(kRedirects, exchange.head.status()) != kRedirects.end();
  return reads && redirects && !exchange.error ? exchange.head.find("location") : nullptr;
}

// A proxy looks names up by itself, but an address can be judged here.
StepResult<void> check_literal(const policy::HttpPolicy& policy, const std::string& host) {
  boost::system::error_code not_one;
  const auto address = boost::asio::ip::make_address(host, not_one);
  if (not_one) return {};
  const auto found = address.is_v4() ? policy::classify_address(address.to_v4().to_bytes())
                                     : policy::classify_address(address.to_v6().to_bytes());
  if (policy.allows(found)) return {};
  return std::unexpected(to_step_error(policy.refused_address(found)));
}

}  // namespace

Client::Client(const Site& site, const policy::Connection& connection)
    : site_(site), name_(connection.name), settings_(*connection.http()) {}

StepResult<const policy::HttpPolicy*> Client::check_way() const {
  if (auto loaded = load_libcurl(); !loaded)
    return std::unexpected(
        without_settings(site_.log, name_, "the connection", {{"connection"}, std::move(loaded).error().message, {}}));
  SP_TRY(const auto* policy, to_step(site_.policy.find_http(name_)));
  const auto* oauth2 = std::get_if<policy::HttpOauth2>(&settings_.auth);
  const bool clear_text =
      settings_.url.is_clear_text() ||
      (oauth2 != nullptr &&
       (oauth2->token_url.is_clear_text() || (oauth2->authorization && oauth2->authorization->url.is_clear_text())));
  if (clear_text) SP_CHECK(to_step(policy->check_clear_text()));
  SP_CHECK(check_literal(*policy, settings_.url.host));
  if (oauth2 != nullptr) SP_CHECK(check_literal(*policy, oauth2->token_url.host));
  return policy;
}

StepResult<void> Client::check_request(const policy::HttpPolicy& policy, const Call& call) const {
  return to_step(policy.check_request(call.method, call.target.segments));
}

StepResult<Client::Lease> Client::lease(const policy::HttpPolicy& policy, const CallLimits& limits) {
  std::unique_lock lock(mutex_);
  const bool free =
      freed_.wait_until(lock, limits.stop, limits.deadline, [this] { return busy_ < settings_.concurrency; });
  if (limits.stop.stop_requested()) return step_fail("cancelled", "stopped");
  if (!free) return step_fail("timeout", "the connection's other requests did not end in time");
  ++busy_;
  std::unique_ptr<Transfer> transfer;
  if (!idle_.empty()) {
    transfer = std::move(idle_.back());
    idle_.pop_back();
  }
  lock.unlock();
  if (!transfer) transfer = std::make_unique<Transfer>(settings_, policy);
  return Lease(*this, std::move(transfer));
}

void Client::give_back(std::unique_ptr<Transfer> transfer) {
  {
    const std::lock_guard lock(mutex_);
    --busy_;
    idle_.push_back(std::move(transfer));
  }
  freed_.notify_one();
}

StepResult<Secret> Client::secret(const vault::SecretRef& ref) const {
  if (!ref) return Secret();
  auto found = to_step(site_.vault.resolve(ref));
  if (found) return found;
  return std::unexpected(without_settings(site_.log, name_, "a secret of the connection", std::move(found).error()));
}

StepResult<TransferSecrets> Client::transfer_secrets() const {
  TransferSecrets secrets;
  if (const auto* ntlm = std::get_if<policy::HttpNtlm>(&settings_.auth)) {
    SP_TRY(secrets.user_password, secret(ntlm->password));
  }
  SP_TRY(secrets.client_key, secret(settings_.client_key));
  if (settings_.proxy) {
    SP_TRY(secrets.proxy_password, secret(settings_.proxy->password));
  }
  return secrets;
}

StepResult<std::vector<Secret>> Client::headers_of(const Call& call) const {
  std::vector<Secret> lines;
  lines.reserve(call.headers.size() + settings_.headers.size() + 1);
  for (const auto& line : call.headers) lines.push_back(line.duplicate());
  for (const auto& header : settings_.headers) {
    SP_TRY(const auto value, secret(header.value));
    lines.push_back(header_line(header.name, header.value ? value.reveal() : header.text));
  }
  if (const auto* basic = std::get_if<policy::HttpBasic>(&settings_.auth)) {
    SP_TRY(const auto password, secret(basic->password));
    lines.push_back(basic_authorization(basic->user, password));
  }
  if (const auto* bearer = std::get_if<policy::HttpBearer>(&settings_.auth)) {
    SP_TRY(const auto token, secret(bearer->token));
    lines.push_back(bearer_authorization(token));
  }
  const auto broken = [](const Secret& line) {
    return line.reveal().find_first_of("\r\n\0") != std::string_view::npos;
  };
  if (std::ranges::any_of(lines, broken)) return step_fail("invalid", "a secret of the connection has a line break");
  return lines;
}

// What names settings goes to the agent's log.
Exchange Client::tellable(Exchange exchange) const {
  if (!exchange.fault) return exchange;
  exchange.error = without_settings(site_.log, name_, "the connection", *std::move(exchange.fault));
  exchange.fault.reset();
  return exchange;
}

Exchange Client::send(Lease& place, const Call& call, AnswerSink& sink, const CallLimits& limits) {
  auto headers = headers_of(call);
  auto secrets = transfer_secrets();
  if (!headers) return failed(std::move(headers).error());
  if (!secrets) return failed(std::move(secrets).error());
  Request request{call.method, settings_.url.origin() + call.target.text, *std::move(headers), call.body};
  request.on_new_connection = call.sending == Sending::once;
  return place.transfer().perform(request, *secrets, sink, limits);
}

Exchange Client::log_in_and_send(Lease& place, const Call& call, AnswerSink& sink, const CallLimits& limits) {
  const auto* oauth2 = std::get_if<policy::HttpOauth2>(&settings_.auth);
  if (oauth2 == nullptr) return send(place, call, sink, limits);
  for (bool again = false;; again = true) {
    auto held = token(place, *oauth2, limits);
    if (!held) return failed(std::move(held).error());
    Call with_token{call.method, call.target, {}, call.body, call.sending};
    for (const auto& line : call.headers) with_token.headers.push_back(line.duplicate());
    with_token.headers.push_back(bearer_authorization(held->value));
    auto exchange = send(place, with_token, sink, limits);
    if (exchange.head.status() != 401 || again) return exchange;
    tokens_.drop(held->number);
    if (call.body == nullptr) continue;
    if (auto rewound = call.body->rewind(); !rewound) return failed(std::move(rewound).error());
  }
}

Exchange Client::perform(Call call, AnswerSink& sink, const CallLimits& limits) {
  const auto policy = check_way();
  if (!policy) return failed(policy.error());
  if (auto allowed = check_request(**policy, call); !allowed) return failed(std::move(allowed).error());
  auto place = lease(**policy, limits);
  if (!place) return failed(std::move(place).error());
  for (int hops = 0;; ++hops) {
    auto exchange = tellable(log_in_and_send(*place, call, sink, limits));
    const auto* location = redirect_of(call, exchange);
    if (location == nullptr || (*policy)->redirects == policy::HttpPolicy::Redirects::none) return exchange;
    if (hops == kMostRedirects) return failed({{"invalid"}, "the server redirects again and again", {}});
    auto target = follow_reference(settings_.url, call.target, *location);
    if (!target) return failed(step_in_context("following a redirect", std::move(target).error()).error());
    call.target = *std::move(target);
    if (auto allowed = check_request(**policy, call); !allowed) return failed(std::move(allowed).error());
  }
}

Exchange Client::probe(const CallLimits& limits) {
  const auto policy = check_way();
  if (!policy) return failed(policy.error());
  auto place = lease(**policy, limits);
  if (!place) return failed(std::move(place).error());
  auto target = make_target(settings_.url, "", nullptr, nullptr);
  if (!target) return failed(std::move(target).error());
  const Expected expected;
  ShortAnswer answer(expected, 0);
  return log_in_and_send(*place, {"HEAD", *std::move(target), {}}, answer, limits);
}

Clients::Clients(const Site& site) {
  for (const auto& [name, connection] : site.connections) {
    if (connection.http() != nullptr) clients_.emplace(name, std::make_unique<Client>(site, connection));
  }
}

Client* Clients::find(std::string_view connection) const {
  const auto it = clients_.find(connection);
  return it == clients_.end() ? nullptr : it->second.get();
}

}  // namespace sallyport::connectors::http
