#pragma once

#include "relay/api/api.h"

namespace sallyport::api {

// One admitted call of one route: body, idempotency key, handler, reply. The handler's change takes the audit row with
// it; a call that changed nothing gets a row of its own.
class ApiExchange final : public http::Exchange {
 public:
  ApiExchange(Api& api, Admitted admitted) : api_(api), admitted_(std::move(admitted)) {}

  std::size_t body_limit() const override {
    return admitted_.route->body == Body::none ? 0 : admitted_.route->body_limit;
  }
  boost::asio::awaitable<http::Reply> answer(http::Request request) override;

 private:
  using Reply = http::Reply;

  Call call_of(const http::RequestHead& head, ReadBody body) const;
  boost::asio::awaitable<Result<Answer>> run_handler(Call call);
  boost::asio::awaitable<Reply> read(Call call);
  boost::asio::awaitable<Reply> change(Call call, const http::Request& request);
  boost::asio::awaitable<Reply> change_once(Call call);
  boost::asio::awaitable<Reply> change_keyed(Call call, const http::Request& request, std::string key);
  AuditTicket ticket_of(const Call& call, const std::string& peer) const;
  Reply unaudited(const AuditTicket& ticket) const;
  boost::asio::awaitable<void> record_nothing_done(AuditTicket ticket, const Result<Answer>& answer);
  void log_unrecorded(const AuditTicket& ticket, std::string_view reason) const;
  Reply failed(const Error& error, const std::string& request_id) const;

  Api& api_;
  Admitted admitted_;
};

// Says for whom the answer is (the access log's actor) and how much of their token's rate is left. Nothing for an open
// route.
void sign(http::Reply& reply, const Admitted& admitted, const BucketTerms& terms);

// What stands in an audit row when the handler names nothing: "agent:agt_..." from the ids of the path; the path's
// pattern where it has none, for what somebody typed is a text of the detail.
std::string target_of(const Route& route, const ValueMap& path);

}  // namespace sallyport::api
