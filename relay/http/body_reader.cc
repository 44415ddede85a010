#include "relay/http/body_reader.h"

#include <fmt/format.h>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <algorithm>
#include <functional>
#include <limits>

namespace sallyport::http {
namespace {

namespace bhttp = boost::beast::http;

std::unexpected<Problem> refuse(int status, std::string code, std::string detail) {
  return std::unexpected(Problem{status, std::move(code), std::move(detail), {}});
}

}  // namespace

struct BodyReader::Impl {
  Impl(const RequestHead& expected, BodyLimits bounds) : head(expected), limits(bounds) {
    parser.eager(true);
    parser.header_limit(static_cast<std::uint32_t>(limits.header + 1));
    parser.body_limit(limits.body);
    parser.on_chunk_header(refuse_extensions);
  }

  bool agrees() const {
    const auto& message = parser.get();
    const auto fields = static_cast<std::size_t>(std::distance(message.begin(), message.end()));
    const auto length = parser.content_length();
    const bool same_length = head.content_length ? length && *length == *head.content_length : !length;
    return message.method_string() == to_string(head.method) && message.target() == head.target &&
           message.version() == 11 && fields == head.headers.fields().size() && parser.chunked() == head.chunked &&
           same_length;
  }

  const RequestHead& head;
  BodyLimits limits;
  std::function<void(std::uint64_t, boost::beast::string_view, boost::beast::error_code&)> refuse_extensions =
      [](std::uint64_t, boost::beast::string_view extensions, boost::beast::error_code& problem) {
        if (!extensions.empty()) problem = bhttp::error::bad_chunk_extension;
      };
  bhttp::request_parser<bhttp::string_body> parser;
};

BodyReader::BodyReader(const RequestHead& head, BodyLimits limits) : impl_(std::make_unique<Impl>(head, limits)) {}
BodyReader::~BodyReader() = default;

bool BodyReader::done() const { return impl_->parser.is_done(); }
std::string BodyReader::take() { return std::move(impl_->parser.get().body()); }

std::expected<std::size_t, Problem> BodyReader::feed(std::string_view bytes) {
  boost::beast::error_code problem;
  const auto used = bytes.empty() ? 0 : impl_->parser.put(boost::asio::buffer(bytes.data(), bytes.size()), problem);
  if (problem == bhttp::error::body_limit) {
    return refuse(413, "too_large", fmt::format("The body may have at most {} bytes here.", impl_->limits.body));
  }
  if (problem && problem != bhttp::error::need_more) return refuse(400, "framing", "The request is malformed.");
  if (bytes.size() - used > impl_->limits.header) return refuse(400, "framing", "A chunk header is too long.");
  if (done() && !impl_->agrees()) return refuse(400, "framing", "The request's framing is ambiguous.");
  return used;
}

}  // namespace sallyport::http
