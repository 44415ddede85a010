#include "relay/api/exchange.h"

#include "relay/api/problems.h"
#include "relay/keys/custodian.h"
#include "shared/async/timeout.h"

#include <fmt/format.h>
#include <boost/asio/this_coro.hpp>

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

bool succeeded(const Result<Answer>& answer) {
  if (!answer) return false;
  const auto* response = std::get_if<http::Response>(&answer->reply);
  return response == nullptr || response->status < 400;
}

std::string header_text(const http::RequestHead& head, std::string_view name) {
  const auto* value = head.headers.find(name);
  return value == nullptr ? std::string() : *value;
}

std::optional<std::string> header(const http::RequestHead& head, std::string_view name) {
  const auto* value = head.headers.find(name);
  return value == nullptr ? std::nullopt : std::optional(*value);
}

// A path's parameter that is somebody's word, no id: a target stays in the ledger for good, a detail's text can be
// erased.
bool is_typed(const Field& field) { return field.type == FieldType::text && field.format != Format::id; }

}  // namespace

std::string target_of(const Route& route, const ValueMap& path) {
  std::string out;
  for (const auto& field : route.path) {
    if (field.format != Format::id) continue;
    if (!out.empty()) out += ' ';
    out += fmt::format("{}:{}", field.name, path.at(Value(field.name)).as_string());
  }
  if (out.empty() && !route.path.empty()) return "path:" + std::string(route.pattern);
  return out;
}

void sign(http::Reply& reply, const Admitted& admitted, const BucketTerms& terms) {
  if (admitted.route->reach == Reach::open) return;
  const auto decorate = [&](auto& any) {
    any.actor = admitted.caller.actor();
    any.headers.set("RateLimit-Limit", std::to_string(static_cast<std::int64_t>(terms.burst)));
    any.headers.set("RateLimit-Remaining", std::to_string(admitted.bucket.remaining));
    any.headers.set("RateLimit-Reset", std::to_string(admitted.bucket.reset.count()));
  };
  std::visit(decorate, reply);
}

asio::awaitable<http::Reply> ApiExchange::answer(http::Request request) {
  auto body = read_body(*admitted_.route, request);
  Reply reply;
  if (!body) {
    reply = http::to_response(body.error());
  } else if (admitted_.route->repeat == Repeat::safe) {
    reply = co_await read(call_of(request.head, *std::move(body)));
  } else {
    // A change that has begun goes on to its end and its audit row, even when the connection is cut.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    auto call = call_of(request.head, *std::move(body));
    call.ticket = ticket_of(call, request.head.peer);
    reply = co_await change(std::move(call), request);
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
  }
  sign(reply, admitted_, api_.buckets_.terms());
  co_return reply;
}

Call ApiExchange::call_of(const http::RequestHead& head, ReadBody body) const {
  return {.caller = admitted_.caller,
          .path = admitted_.inputs.path,
          .query = admitted_.inputs.query,
          .body = std::move(body.value),
          .request_id = head.request_id,
          .accept = header_text(head, "Accept"),
          .if_match = header(head, "If-Match"),
          .last_event_id = header(head, "Last-Event-ID"),
          .peer = head.peer,
          .websocket = {header_text(head, "Sec-WebSocket-Key"), header_text(head, "Sec-WebSocket-Version"),
                        header_text(head, "Sec-WebSocket-Protocol")},
          .secret = std::move(body.secret)};
}

// The fence: with_timeout() below waits for a success, so an exception must not get there.
asio::awaitable<Result<Answer>> ApiExchange::run_handler(Call call) {
  try {
    co_return co_await admitted_.route->handler(api_.services_, std::move(call));
  } catch (const boost::system::system_error& fault) {
    if (fault.code() == asio::error::operation_aborted) co_return fail(Errc::cancelled, "cancelled");
    co_return fail(Errc::internal, fault.what());
  } catch (const std::exception& fault) {
    co_return fail(Errc::internal, fault.what());
  }
}

asio::awaitable<http::Reply> ApiExchange::read(Call call) {
  const auto request_id = call.request_id;
  auto answer = co_await with_timeout(api_.options_.read_time, run_handler(std::move(call)));
  if (!answer) co_return failed(answer.error(), request_id);
  co_return std::move(answer->reply);
}

asio::awaitable<http::Reply> ApiExchange::change(Call call, const http::Request& request) {
  const auto key = header(request.head, "Idempotency-Key");
  if (!key || admitted_.route->repeat == Repeat::idempotent) {
    co_return co_await change_once(std::move(call));
  }
  if (admitted_.route->repeat == Repeat::once) {
    co_return http::to_response(
        {400, "idempotency_key", "This call tells a secret once and cannot be replayed: send no Idempotency-Key.", {}});
  }
  if (!is_idempotency_key(*key)) {
    co_return http::to_response(
        {400, "idempotency_key", "An Idempotency-Key has 1 to 128 visible ASCII characters.", {}});
  }
  co_return co_await change_keyed(std::move(call), request, *key);
}

asio::awaitable<http::Reply> ApiExchange::change_keyed(Call call, const http::Request& request, std::string key) {
  const auto keyed = keyed_request(admitted_.caller, key, request);
  const auto request_id = call.request_id;
  auto claimed = co_await api_.idempotency_.claim(keyed);
  if (!claimed) co_return failed(claimed.error(), request_id);
  if (auto* instead = std::get_if<http::Response>(&*claimed)) co_return std::move(*instead);
  call.request_key = keyed.key;
  auto reply = co_await change_once(std::move(call));
  const auto& response = std::get<http::Response>(reply);
  // After 5xx nobody knows what happened: the claim stays until it ages, so that the key cannot do it twice.
  Result<void> kept;
  if (response.status < 400) kept = co_await api_.idempotency_.complete(keyed, response);
  if (response.status >= 400 && response.status < 500) kept = co_await api_.idempotency_.abandon(keyed);
  if (!kept)
    api_.services_.log.error("idempotency.failed", {{"request_id", request_id}, {"reason", kept.error().message}});
  co_return reply;
}

asio::awaitable<http::Reply> ApiExchange::change_once(Call call) {
  const auto ticket = call.ticket;
  auto answer = co_await run_handler(std::move(call));
  if (!*ticket.stored) {
    if (succeeded(answer)) co_return unaudited(ticket);
    co_await record_nothing_done(ticket, answer);
  }
  if (!answer) co_return failed(answer.error(), ticket.record.request_id);
  co_return std::move(answer->reply);
}

AuditTicket ApiExchange::ticket_of(const Call& call, const std::string& peer) const {
  const auto& route = *admitted_.route;
  ValueMap detail{{Value("from"), Value(peer)}, {Value("user"), Value(call.caller.user.value)}};
  for (const auto& field : route.path) {
    if (is_typed(field)) detail.emplace(Value(field.name), call.path.at(Value(field.name)));
  }
  return {.ledger = route.reach == Reach::platform ? store::system_ledger() : call.caller.org,
          .record = {.actor = call.caller.actor(),
                     .action = std::string(route.audited),
                     .target = target_of(route, call.path),
                     .detail = std::move(detail),
                     .request_id = call.request_id}};
}

// A handler that answers well without having handed its ticket to a change is a fault.
http::Reply ApiExchange::unaudited(const AuditTicket& ticket) const {
  log_unrecorded(ticket, "the handler made its change without the audit entry");
  return http::to_response({500, "not_audited", "The call could not be recorded. It may have had its effect.", {}});
}

// Nothing was changed, so the caller is told why even when there can be no row of it, as on a full disk.
asio::awaitable<void> ApiExchange::record_nothing_done(AuditTicket ticket, const Result<Answer>& answer) {
  ticket.record.outcome = AuditOutcome::failed;
  if (!answer) ticket.record.detail.emplace(Value("error"), Value(to_string(answer.error().code)));
  const auto recorded = co_await api_.services_.audit.record(ticket.ledger, ticket.record);
  if (!recorded) log_unrecorded(ticket, recorded.error().message);
}

void ApiExchange::log_unrecorded(const AuditTicket& ticket, std::string_view reason) const {
  api_.services_.log.error(
      "audit.failed", {{"request_id", ticket.record.request_id}, {"action", ticket.record.action}, {"reason", reason}});
}

http::Reply ApiExchange::failed(const Error& error, const std::string& request_id) const {
  if (error.code == Errc::internal || error.code == Errc::unavailable) {
    api_.services_.log.error("api.failed", {{"request_id", request_id},
                                            {"route", admitted_.route->id},
                                            {"code", to_string(error.code)},
                                            {"reason", error.message}});
  }
  auto problem = to_problem(error);
  if (error.code == Errc::unavailable && !api_.services_.keys.own().usable(admitted_.caller.org))
    problem.code = "organisation_key_unavailable";
  auto response = http::to_response(problem);
  if (response.status == 429) response.headers.set("Retry-After", "1");
  if (response.status == 503) response.headers.set("Retry-After", "10");
  return response;
}

}  // namespace sallyport::api
