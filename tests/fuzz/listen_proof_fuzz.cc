#include "agent/connectors/listen/proof.h"
#include "agent/connectors/listen/request_event.h"

#include <cstdint>
#include <cstdlib>

// A proof, a time, an id and a body by any lines: nobody is believed without the secret, and of what would be believed
// one event is made.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  using namespace sallyport::connectors::listen;
  using policy::SenderProof;
  if (size < 1) return 0;
  std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto line = [&text] {
    const auto end = std::min(text.find('\n'), text.size());
    const auto taken = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return taken;
  };
  policy::ListenSender sender{.path = "/a",
                              .proof = static_cast<SenderProof>(data[0] % 4),
                              .signature_header = "Signature",
                              .tolerance = std::chrono::hours(1)};
  http::Request request;
  auto& headers = request.head.headers;
  const auto proof = line();
  for (const auto* name : {"Signature", "Authorization", "webhook-signature"}) headers.add(name, proof);
  headers.add("webhook-timestamp", line());
  headers.add("webhook-id", line());
  request.body = text;
  std::vector<Secret> secrets;
  secrets.push_back(Secret::take(std::string("\x01\xfa a secret that no input has \xfd\x02")));
  const WallTime now{std::chrono::seconds(1'700'000'000)};
  if (check_proof(sender, secrets, headers, request.body, now)) std::abort();
  sender.delivery_header = "webhook-id";
  const auto made = make_event("hooks", sender, request, Proven{});
  if (made && make_event("hooks", sender, request, Proven{})->event.natural_key != made->event.natural_key)
    std::abort();
  return 0;
}
