#include "relay/webhooks/delivery.h"

#include "relay/webhooks/secrets.h"
#include "shared/base/text.h"
#include "shared/crypto/digest.h"
#include "shared/recipe/event_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace sallyport::webhooks {
namespace {

bool is_visible(char c) { return c > ' ' && c < 0x7F; }

std::unexpected<http::Problem> refuse(int status, std::string code, std::string detail) {
  return std::unexpected(http::Problem{status, std::move(code), std::move(detail), {}});
}

}  // namespace

std::expected<Delivery, http::Problem> make_delivery(const store::Webhook& webhook, http::Request request) {
  const auto& headers = request.head.headers;
  std::optional<std::string> id;
  if (terms_of(webhook).scheme == proof::Scheme::standard_webhooks) id = *headers.find("webhook-id");
  if (id && !std::ranges::all_of(*id, is_visible))
    return refuse(400, "bad_delivery_id", "The webhook-id has to be visible ASCII characters.");
  const auto* type = headers.find("Content-Type");
  ValueMap data{{"id", id ? Value(*id) : Value()},
                {"webhook", webhook.id.value},
                {"content_type", recipe::text_or_base64(type == nullptr ? std::string_view() : *type)}};
  const auto known_by = id ? *id : "sha256:" + hex(crypto::sha256(request.body));
  recipe::add_body(data, std::move(request.body));
  Delivery made{fmt::format("{}:{}", webhook.id.value, known_by), Value(std::move(data))};
  if (!recipe::fits_event(made.data))
    return refuse(413, "too_large",
                  fmt::format("The request makes more than the {} KiB that a job may start with.",
                              recipe::kMostEventBytes >> 10));
  return made;
}

}  // namespace sallyport::webhooks
