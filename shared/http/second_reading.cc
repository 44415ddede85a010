#include "shared/http/second_reading.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <cstdint>
#include <iterator>
#include <limits>

namespace sallyport::http {

bool second_reading_agrees(const RequestHead& head, std::string_view block) {
  namespace bhttp = boost::beast::http;
  bhttp::request_parser<bhttp::empty_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(block.size() + 1));
  parser.body_limit(std::numeric_limits<std::uint64_t>::max());
  boost::beast::error_code problem;
  parser.put(boost::asio::buffer(block.data(), block.size()), problem);
  if (problem || !parser.is_header_done()) return false;
  const auto& message = parser.get();
  const auto fields = static_cast<std::size_t>(std::distance(message.begin(), message.end()));
  const auto length = parser.content_length();
  const bool same_length = head.content_length ? length && *length == *head.content_length : !length;
  return message.method_string() == to_string(head.method) && message.target() == head.target &&
         message.version() == 11 && fields == head.headers.fields().size() && parser.chunked() == head.chunked &&
         same_length;
}

}  // namespace sallyport::http
