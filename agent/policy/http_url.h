#pragma once

#include "shared/recipe/fields.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::policy {

// Where an HTTP server is, as an operator writes it: "https://erp.example.com:8443/api". Without user, query and
// fragment; the host in its canonical form; a path of plain segments that no server reads in two ways.
struct HttpUrl {
  std::string scheme;  // "https" or "http"
  std::string host;    // IPv6 without brackets
  std::uint16_t port = 0;
  std::vector<std::string> segments;  // of the path; none for the root

  bool is_clear_text() const { return scheme == "http"; }
  std::string origin() const;  // "https://erp.example.com:8443", always with its port
  friend bool operator==(const HttpUrl&, const HttpUrl&) = default;
};

std::optional<HttpUrl> parse_http_url(std::string_view text);

// A segment that can be sent as it is: letters, digits and what RFC 3986 lets stand there, but no `%`; not empty, not
// "." or "..".
bool is_plain_segment(std::string_view segment);

// Reports what is no such URL.
HttpUrl read_http_url(yaml::FieldReader& fields, std::string_view name);

}  // namespace sallyport::policy
