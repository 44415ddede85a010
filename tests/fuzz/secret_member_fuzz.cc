#include "relay/api/inputs.h"
#include "relay/api/resources.h"
#include "shared/base/json.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

// A secret that was taken out of a body is the one that the whole body, read by the parser, has there; of what stays,
// the parser reads the same but for it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  using namespace sallyport::api;
  const std::string body(reinterpret_cast<const char*>(data), size);
  http::Request request{{}, body};
  auto read = read_body(own_key_routes().front(), request);
  const auto whole = parse_json(body);
  if (!read || body.empty()) return 0;
  if (!whole || request.body.size() != body.size()) std::abort();
  const auto* given = whole->find("credentials");
  if ((given != nullptr) != (read->secret != nullptr)) std::abort();
  if (given != nullptr && given->as_string() != read->secret->reveal()) std::abort();
  for (const auto& [name, value] : whole->as_map()) {
    const auto* left = read->value.find(name.as_string());
    if (left == nullptr || (&value != given && to_json(*left) != to_json(value))) std::abort();
    if (&value == given && std::ranges::any_of(left->as_string(), [](char c) { return c != '\x7f'; })) std::abort();
  }
  return 0;
}
