#include "agent/connectors/http/authorization.h"
#include "agent/connectors/http/tokens.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

// Whatever address is pasted or comes from the relay: a code comes out of it only with the right state and issuer, and
// is something that can be sent.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  using namespace sallyport::connectors::http;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  policy::HttpAuthorization authorization;
  authorization.issuer = "https://login.example.com";
  (void)read_refusal(text);
  const auto answer = parse_authorization_answer(text);
  if (!answer) return 0;
  for (const auto* state : {"", "the-state"}) {
    const PendingAuthorization pending{"", state, {}};
    const auto code = code_of(*answer, pending, authorization);
    if (!code) continue;
    if (answer->state != state || answer->issuer != authorization.issuer) std::abort();
    if (code->empty() || !std::ranges::all_of(code->reveal(), [](char c) { return c >= ' ' && c <= '~'; }))
      std::abort();
  }
  return 0;
}
