#pragma once

#include <string>
#include <string_view>

namespace sallyport::test {

// A whole ClientHello that offers one protocol and nothing else of use.
inline std::string hello_text(std::string_view protocol) {
  const auto vector_of = [](std::string content, int bytes) {
    std::string length;
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) length += static_cast<char>(content.size() >> shift);
    return length + content;
  };
  const auto names = vector_of(vector_of(std::string(protocol), 1), 2);
  const auto extensions = vector_of(std::string("\0\x10", 2) + vector_of(names, 2), 2);
  const auto body = "\x03\x03" + std::string(32, 'r') + std::string("\0", 1) + vector_of("\x13\x01", 2) +
                    vector_of(std::string("\0", 1), 1) + extensions;
  return "\x16\x03\x01" + vector_of("\x01" + vector_of(body, 3), 2);
}

}  // namespace sallyport::test
