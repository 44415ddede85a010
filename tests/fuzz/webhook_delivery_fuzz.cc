#include "relay/webhooks/delivery.h"
#include "relay/webhooks/secrets.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

// A request to a webhook by any lines: nobody is believed without the secret; of what would be believed one delivery is
// made, which is known again; and any text as the secrets of a webhook either reads back or is refused.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  using namespace sallyport::webhooks;
  if (size < 1) return 0;
  std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto line = [&text] {
    const auto end = std::min(text.find('\n'), text.size());
    const auto taken = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return taken;
  };
  store::Webhook webhook;
  webhook.id = WebhookId("whk_1");
  webhook.proof = kProofs[data[0] % kProofs.size()];
  webhook.signature_header = "Signature";
  http::Request request;
  auto& headers = request.head.headers;
  const auto proof = line();
  for (const auto* name : {"Signature", "webhook-signature"}) headers.add(name, proof);
  headers.add("webhook-timestamp", line());
  headers.add("webhook-id", line());
  headers.add("Content-Type", line());
  request.body = text;
  std::vector<Secret> secrets;
  secrets.push_back(Secret::take(std::string("\x01\xfa a secret that no input has \xfd\x02")));
  const WallTime now{std::chrono::seconds(1'700'000'000)};
  if (proof::check(terms_of(webhook), secrets, headers, request.body, now)) std::abort();
  const auto made = make_delivery(webhook, request), again = make_delivery(webhook, request);
  if (made.has_value() != again.has_value() || (made && made->natural_key != again->natural_key)) std::abort();

  const auto read = split_secrets(Secret::take(std::string(text)));
  if (!read) return 0;
  const auto joined = split_secrets(join_secrets(*read));
  if (!joined || joined->size() != read->size()) std::abort();
  return 0;
}
