#include "shared/http/upgrade.h"

#include "shared/http/problem.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::http {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool is_protocol(std::string_view text, std::string_view wanted) {
  const auto slash = std::min(text.find('/'), text.size());
  const auto wanted_slash = std::min(wanted.find('/'), wanted.size());
  return equal_names(text.substr(0, slash), wanted.substr(0, wanted_slash)) &&
         text.substr(slash) == wanted.substr(wanted_slash);
}

}  // namespace

bool asks_for(const RequestHead& head, std::string_view protocol) {
  const auto* offered = head.headers.find("Upgrade");
  const bool plain = head.method == Method::get && !head.content_length && !head.chunked && !head.expects_continue;
  if (!plain || !head.offers_upgrade || offered == nullptr) return false;
  for (std::string_view rest = *offered; !rest.empty();) {
    const auto end = std::min(rest.find(','), rest.size());
    if (is_protocol(trimmed(rest.substr(0, end)), protocol)) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

Response upgrade_required(std::string_view protocol) {
  auto response =
      to_response({426,
                   "upgrade_required",
                   fmt::format("Ask with GET, without a body, Connection: upgrade and Upgrade: {}.", protocol),
                   {}});
  response.headers.set("Upgrade", protocol);
  response.headers.set("Connection", "Upgrade");
  return response;
}

}  // namespace sallyport::http
