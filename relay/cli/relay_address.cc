#include "relay/cli/relay_address.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>

namespace sallyport::cli {
namespace {

struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Url = std::unique_ptr<CURLU, UrlDeleter>;

Url parse(const std::string& text) {
  Url url(curl_url());
  if (url && curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_DISALLOW_USER) != CURLUE_OK) url.reset();
  return url;
}

// "" when the URL has no such part.
std::string part_of(const Url& url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url.get(), part, &text, 0) != CURLUE_OK) return "";
  std::string copy(text);
  curl_free(text);
  return copy;
}

// Four numbers below 256; libcurl has put other spellings (127.1) into this one.
std::optional<std::array<unsigned, 4>> ipv4_of(std::string_view text) {
  std::array<unsigned, 4> parts{};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), parts.at(i));
    if (problem != std::errc() || parts.at(i) > 255) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (i + 1 == parts.size()) break;
    if (!text.starts_with('.')) return std::nullopt;
    text.remove_prefix(1);
  }
  return text.empty() ? std::optional(parts) : std::nullopt;
}

}  // namespace

Result<std::string> relay_address(std::string_view text) {
  const auto wrong = [] { return fail(Errc::invalid, "takes https://HOST:PORT"); };
  const bool printable = std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
  if (!printable || !text.starts_with("https://")) return wrong();
  while (text.ends_with('/')) text.remove_suffix(1);
  std::string address(text);
  const auto url = parse(address);
  if (!url || part_of(url, CURLUPART_HOST).empty() || !part_of(url, CURLUPART_QUERY).empty() ||
      !part_of(url, CURLUPART_FRAGMENT).empty())
    return wrong();
  return address;
}

bool is_loopback(const std::string& address) {
  const auto url = parse(address);
  if (!url) return false;
  auto host = part_of(url, CURLUPART_HOST);
  std::ranges::transform(host, host.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (host == "localhost" || host == "[::1]") return true;
  const auto ipv4 = ipv4_of(host);
  return ipv4 && ipv4->front() == 127;
}

}  // namespace sallyport::cli
