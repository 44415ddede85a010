#include "agent/connectors/listen/request_event.h"

#include "agent/connectors/message.h"
#include "shared/base/text.h"
#include "shared/crypto/digest.h"
#include "shared/crypto/random.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

namespace sallyport::connectors::listen {
namespace {

std::string digest(std::string_view text) { return hex(crypto::sha256(text)); }

std::unexpected<http::Problem> refuse(int status, std::string code, std::string detail) {
  return std::unexpected(http::Problem{status, std::move(code), std::move(detail), {}});
}

std::expected<std::string, http::Problem> identity_of(const policy::ListenSender& sender, const http::Request& request,
                                                      const Proven& proven) {
  if (!sender.delivery_header.empty()) {
    const auto& headers = request.head.headers;
    const auto* id = headers.find(sender.delivery_header);
    if (id == nullptr || id->empty() || headers.count(sender.delivery_header) != 1)
      return refuse(400, "no_delivery_id",
                    fmt::format("The header {} has to name the delivery, once.", sender.delivery_header));
    return fmt::format("{}:{}", digest(*id), digest(request.body));
  }
  if (!proven.identity.empty()) return "signed:" + digest(proven.identity);
  return "unnamed:" + hex(crypto::random_bytes(16));
}

std::expected<Value, http::Problem> query_of(const http::RequestHead& head) {
  ValueMap query;
  for (const auto& [name, value] : head.query) {
    if (query.contains(Value(name)))
      return refuse(400, "duplicate_parameter", "A name in the query may come once only.");
    add_header(query, name, text_or_base64(value));
  }
  return Value(std::move(query));
}

Value headers_of(const policy::ListenSender& sender, const http::Headers& headers) {
  ValueMap shown;
  for (const auto& name : sender.headers) {
    std::optional<std::string> all;
    for (const auto& field : headers.fields()) {
      if (!http::equal_names(field.name, name)) continue;
      all = all ? *all + ", " + field.value : field.value;
    }
    if (all) add_header(shown, name, text_or_base64(*all));
  }
  return Value(std::move(shown));
}

}  // namespace

std::expected<RequestEvent, http::Problem> make_event(const std::string& connection, const policy::ListenSender& sender,
                                                      http::Request request, const Proven& proven) {
  const auto identity = identity_of(sender, request, proven);
  if (!identity) return std::unexpected(identity.error());
  auto query = query_of(request.head);
  if (!query) return std::unexpected(std::move(query).error());
  const auto method = http::to_string(request.head.method);
  RequestEvent made;
  made.event.natural_key = fmt::format("http:{}:{}:{}:{}", connection, method, sender.path, *identity);
  made.event.comes_once = true;
  made.id = "evt_" + digest(made.event.natural_key).substr(0, 32);
  const auto* type = request.head.headers.find("Content-Type");
  ValueMap data{{"id", made.id},
                {"method", Value(method)},
                {"path", sender.path},
                {"query", *std::move(query)},
                {"headers", headers_of(sender, request.head.headers)},
                {"content_type", text_or_base64(type == nullptr ? std::string_view() : *type)}};
  add_body(data, std::move(request.body));
  made.event.data = Value(std::move(data));
  if (!fits_event(made.event.data))
    return refuse(
        413, "too_large",
        fmt::format("The request makes more than the {} KiB that a job may start with.", kMostEventBytes >> 10));
  return made;
}

}  // namespace sallyport::connectors::listen
