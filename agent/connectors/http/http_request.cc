#include "agent/connectors/http/http_actions_parts.h"
#include "agent/connectors/http/login.h"

#include <fmt/format.h>

namespace sallyport::connectors::http {
namespace {

// RFC 9110 section 9.2.2: all others may be sent twice.
bool is_idempotent(std::string_view method) { return method != "POST" && method != "PATCH"; }

// RFC 9110 sections 15.6.3 and 15.6.5: what stands before the server does not know what became of it.
bool is_of_gateway(int status) { return status == 502 || status == 504; }

StepResult<Expected> expected_statuses(const Arguments& arguments) {
  const auto* given = arguments.find("expect");
  if (given == nullptr) return Expected();
  std::vector<int> statuses;
  for (const auto& status : given->is(Value::Kind::list) ? given->as_list() : ValueList{*given}) {
    if (!status.is(Value::Kind::int64) || status.as_int() < 200 || status.as_int() > 599)
      return step_fail("invalid", "\"expect\" is a list of statuses from 200 to 599");
    statuses.push_back(static_cast<int>(status.as_int()));
  }
  return Expected(std::move(statuses));
}

// Nobody knows whether the server has done it.
StepError in_doubt(StepError error) {
  error.classes.insert(error.classes.begin(), "in_doubt");
  error.message = "the request was sent, and it is not known what became of it: " + error.message;
  return error;
}

class HttpRequest final : public Action {
 public:
  HttpRequest(Site site, SharedClients clients) : site_(site), clients_(std::move(clients)) {}
  std::string_view name() const override { return "http.request@1"; }

  bool keeps_ledger(std::string_view connection, const Value& values) const override {
    const auto* client = clients_->find(connection);
    return client != nullptr && sending(Arguments(values), client->settings()) == Sending::repeatable;
  }

  // RFC 9110 section 9.2.1: these are not asked to change anything. The others are not sent.
  StepResult<Output> dry_run(const StepContext& context, const Value& values) override {
    const auto method = Arguments(values).text_or("method", "GET");
    if (method != "GET" && method != "HEAD") {
      SP_CHECK(find_client(site_, *clients_, context, name()));
      return Output{Value(), Plan::planned};
    }
    SP_TRY(auto output, run(context, values));
    output.plan = Plan::ran;
    return output;
  }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_TRY(auto* client, find_client(site_, *clients_, context, name()));
    SP_TRY(const auto expected, expected_statuses(arguments));
    SP_TRY(const auto body, RequestBody::of(arguments, context.bodies));
    SP_TRY(auto call, make_call(context, arguments, client->settings(), body.get()));
    const auto sending = call.sending;
    SpooledAnswer answer(expected, context.bodies, site_.policy.limits(context.connection).bytes);
    auto exchange = client->perform(std::move(call), answer, {site_.clock, context.deadline, context.stop});
    auto output = finish(exchange, expected, answer, arguments);
    if (output || sending == Sending::repeatable || !is_unknown(exchange, expected)) return output;
    return std::unexpected(in_doubt(std::move(output).error()));
  }

 private:
  static Sending sending(const Arguments& arguments, const policy::HttpConnection& settings) {
    const bool keyed = settings.idempotency_key && arguments.is_true("exactly_once");
    return keyed || is_idempotent(arguments.text_or("method", "GET")) ? Sending::repeatable : Sending::once;
  }

  static StepResult<Call> make_call(const StepContext& context, const Arguments& arguments,
                                    const policy::HttpConnection& settings, RequestBody* body) {
    Call call;
    call.method = arguments.text_or("method", "GET");
    call.sending = sending(arguments, settings);
    call.body = body;
    if (body != nullptr && (call.method == "GET" || call.method == "HEAD"))
      return step_fail("invalid", fmt::format("{} sends no body", call.method));
    const auto path = arguments.text_or("path", "");
    SP_TRY(call.target, make_target(settings.url, path, arguments.find("params"), arguments.find("query")));
    SP_TRY(call.headers, step_headers(arguments, settings));
    if (body != nullptr && !body->media_type().empty())
      call.headers.push_back(header_line("Content-Type", body->media_type()));
    if (!is_idempotent(call.method) && call.sending == Sending::repeatable)
      call.headers.push_back(header_line("Idempotency-Key", context.idempotency_key));
    return call;
  }

  static StepResult<Output> finish(const Exchange& exchange, const Expected& expected, SpooledAnswer& answer,
                                   const Arguments& arguments) {
    const auto& head = exchange.head;
    if (head.status() != 0 && !expected.holds(head.status())) return std::unexpected(status_error(head, answer.told()));
    if (exchange.error) return std::unexpected(*exchange.error);
    SP_TRY(auto body, answer.commit(head));
    return Output{Value(ValueMap{{Value("status"), Value(head.status())},
                                 {Value("headers"), head.shown()},
                                 {Value("body"), Value(std::move(body))},
                                 {Value("json"), arguments.is_true("read_json") ? answer.json() : Value()}})};
  }

  // What went wrong says nothing about the effect.
  static bool is_unknown(const Exchange& exchange, const Expected& expected) {
    const int status = exchange.head.status();
    return exchange.sent && (status == 0 || expected.holds(status) || is_of_gateway(status));
  }

  Site site_;
  SharedClients clients_;
};

}  // namespace

std::unique_ptr<Action> make_request_action(Site site, SharedClients clients) {
  return std::make_unique<HttpRequest>(site, std::move(clients));
}

}  // namespace sallyport::connectors::http
