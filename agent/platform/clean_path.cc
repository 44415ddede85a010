#include "agent/platform/beneath.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::platform {
namespace {

constexpr std::size_t kMaxPath = 4096;
constexpr std::size_t kMaxName = 255;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

}  // namespace

Result<std::string> clean_path(std::string_view path) {
  if (path.size() > kMaxPath) return fail(Errc::invalid, fmt::format("a path longer than {} bytes", kMaxPath));
  if (std::ranges::any_of(path, is_control)) return fail(Errc::invalid, "a path with control characters");
  if (path.starts_with('/'))
    return fail(Errc::forbidden, fmt::format("\"{}\" is absolute; give a path below the connection's root", path));
  std::string clean;
  while (!path.empty()) {
    const auto part = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), part.size() + 1));
    if (part.empty() || part == ".") continue;
    if (part == "..") return fail(Errc::forbidden, "a path with \"..\"; give a path below the connection's root");
    if (part.size() > kMaxName) return fail(Errc::invalid, fmt::format("a file name longer than {} bytes", kMaxName));
    if (!clean.empty()) clean += '/';
    clean += part;
  }
  return clean.empty() ? "." : clean;
}

}  // namespace sallyport::platform
