#include "agent/connectors/http/target.h"

#include "agent/connectors/http/request_body.h"
#include "agent/connectors/libcurl.h"
#include "shared/base/host.h"
#include "shared/base/percent.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>

namespace sallyport::connectors::http {
namespace {

constexpr std::size_t kMostTarget = 16u << 10;

// Of a segment that is not encoded.
bool is_one_segment(std::string_view text) {
  const auto parts = [](unsigned char c) { return c < ' ' || c == 0x7f || c == '/' || c == '\\'; };
  return text != "." && text != ".." && std::ranges::none_of(text, parts);
}

std::string join(const std::vector<std::string>& segments) {
  std::string path;
  for (const auto& segment : segments) path += "/" + segment;
  return path.empty() ? "/" : path;
}

class PathTemplate {
 public:
  PathTemplate(const Value* params) : params_(params) {}

  // One segment of the template, decoded and encoded.
  struct Filled {
    std::string plain, encoded;
  };
  StepResult<Filled> fill(std::string_view segment) {
    Filled filled;
    while (!segment.empty()) {
      const auto brace = std::min(segment.find('{'), segment.size());
      const auto literal = segment.substr(0, brace);
      if (!literal.empty() && !policy::is_plain_segment(literal) && literal != "." && literal != "..") return wrong();
      filled.plain += literal;
      filled.encoded += literal;
      segment.remove_prefix(brace);
      if (segment.empty()) break;
      const auto end = segment.find('}');
      if (end == std::string_view::npos) return wrong();
      SP_TRY(const auto value, parameter(segment.substr(1, end - 1)));
      filled.plain += value;
      filled.encoded += percent_encode(value);
      segment.remove_prefix(end + 1);
    }
    if (filled.plain.empty() || !is_one_segment(filled.plain))
      return step_fail("invalid", "a parameter of the path is empty, or has a slash, dots or a control character");
    return filled;
  }
  // Every parameter that was given has a place.
  StepResult<void> check_used() const {
    const auto given = params_ == nullptr ? 0 : params_->as_map().size();
    if (given == used_.size()) return {};
    return step_fail("invalid", "\"params\" has a value that \"path\" has no placeholder for");
  }

 private:
  static std::unexpected<StepError> wrong() {
    return step_fail("invalid", "\"path\" is not made of plain segments with placeholders such as {id}");
  }
  StepResult<std::string> parameter(std::string_view name) {
    const auto* value = params_ == nullptr ? nullptr : params_->find(name);
    if (value == nullptr) return step_fail("invalid", fmt::format("\"params\" lacks \"{}\" of \"path\"", name));
    used_.emplace(name);
    return field_text(*value, "params");
  }

  const Value* params_;
  std::set<std::string, std::less<>> used_;
};

struct UrlDeleter {
  void operator()(CURLU* url) const { libcurl().curl_url_cleanup(url); }
  void operator()(char* text) const { libcurl().curl_free(text); }
};
using Url = std::unique_ptr<CURLU, UrlDeleter>;

std::string part_of(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (libcurl().curl_url_get(url, part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) return {};
  return std::unique_ptr<char, UrlDeleter>(text).get();
}

bool is_same_origin(CURLU* url, const policy::HttpUrl& base) {
  auto host = part_of(url, CURLUPART_HOST);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto known = canonical_host(host);
  return part_of(url, CURLUPART_SCHEME) == base.scheme && known && *known == base.host &&
         part_of(url, CURLUPART_PORT) == std::to_string(base.port) && part_of(url, CURLUPART_USER).empty() &&
         part_of(url, CURLUPART_PASSWORD).empty();
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::optional<std::string> decoded(std::string_view segment) {
  std::string out;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] != '%') {
      out += segment[i];
      continue;
    }
    const int high = i + 2 < segment.size() ? hex_digit(segment[i + 1]) : -1;
    const int low = i + 2 < segment.size() ? hex_digit(segment[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

// Of a path as it is sent; an empty segment may stand at the end only.
std::optional<std::vector<std::string>> segments_of(std::string_view path) {
  std::vector<std::string> segments;
  if (path == "/") return segments;
  while (!path.empty()) {
    path.remove_prefix(1);
    const auto end = std::min(path.find('/'), path.size());
    auto segment = decoded(path.substr(0, end));
    path.remove_prefix(end);
    if (!segment || !is_one_segment(*segment) || (segment->empty() && !path.empty())) return std::nullopt;
    segments.push_back(*std::move(segment));
  }
  return segments;
}

}  // namespace

StepResult<Target> make_target(const policy::HttpUrl& base, std::string_view path, const Value* params,
                               const Value* query) {
  Target target{base.segments, {}};
  auto encoded = base.segments;
  PathTemplate filler(params);
  if (path.starts_with('/')) path.remove_prefix(1);
  while (!path.empty()) {
    const auto end = std::min(path.find('/'), path.size());
    SP_TRY(auto filled, filler.fill(path.substr(0, end)));
    target.segments.push_back(std::move(filled.plain));
    encoded.push_back(std::move(filled.encoded));
    path.remove_prefix(end);
    if (path.empty()) break;
    path.remove_prefix(1);
    if (!path.empty()) continue;
    target.segments.emplace_back();
    encoded.emplace_back();
  }
  SP_CHECK(filler.check_used());
  target.text = join(encoded);
  if (query != nullptr) {
    SP_TRY(const auto fields, encode_fields(*query, "query"));
    if (!fields.empty()) target.text += "?" + fields;
  }
  if (target.text.size() > kMostTarget)
    return step_fail("invalid", fmt::format("path and query have more than {} bytes", kMostTarget));
  return target;
}

StepResult<Target> follow_reference(const policy::HttpUrl& base, const Target& from, std::string_view reference) {
  const auto nowhere = step_fail("invalid", "the server names a place that is none of this connection");
  if (reference.size() > kMostTarget || reference.contains('\0')) return nowhere;
  const Url url(libcurl().curl_url());
  const auto start = base.origin() + from.text;
  if (libcurl().curl_url_set(url.get(), CURLUPART_URL, start.c_str(), CURLU_PATH_AS_IS) != CURLUE_OK) return nowhere;
  if (libcurl().curl_url_set(url.get(), CURLUPART_URL, std::string(reference).c_str(), 0) != CURLUE_OK) return nowhere;
  if (!is_same_origin(url.get(), base)) return nowhere;
  const auto path = part_of(url.get(), CURLUPART_PATH);
  auto segments = segments_of(path);
  if (!segments || !path.starts_with('/')) return nowhere;
  const auto query = part_of(url.get(), CURLUPART_QUERY);
  return Target{*std::move(segments), query.empty() ? path : path + "?" + query};
}

}  // namespace sallyport::connectors::http
