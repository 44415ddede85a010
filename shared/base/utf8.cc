#include "shared/base/utf8.h"

namespace sallyport {
namespace {

// Of valid UTF-8, by its first byte.
std::size_t size_of_character(unsigned char first) {
  if (first < 0xC0) return 1;
  return first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

unsigned char byte_at(std::string_view text, std::size_t place) {
  return place < text.size() ? static_cast<unsigned char>(text[place]) : 0;
}

}  // namespace

std::string for_terminal(std::string_view text, std::size_t limit) {
  const auto valid = shortened(with_valid_utf8(text), limit);
  std::string shown;
  for (std::size_t i = 0; i < valid.size();) {
    const auto size = size_of_character(byte_at(valid, i));
    const auto character = std::string_view(valid).substr(i, size);
    shown += steers_text(character) ? "?" : character;
    i += size;
  }
  return shown;
}

bool steers_text(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto first = byte_at(text, i), second = byte_at(text, i + 1), third = byte_at(text, i + 2);
    if (first < 0x20 || first == 0x7F) return true;
    if (first == 0xC2 && second < 0xA0) return true;
    if (first == 0xE2 && second == 0x80 && third >= 0xAA && third <= 0xAE) return true;
    if (first == 0xE2 && second == 0x81 && third >= 0xA6 && third <= 0xA9) return true;
  }
  return false;
}

}  // namespace sallyport
