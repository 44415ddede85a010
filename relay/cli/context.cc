#include "relay/cli/context.h"

#include "shared/base/json.h"
#include "shared/base/secret.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

namespace sallyport::cli {

namespace {

// Lines such as "  /networks: has an entry ..." (error_of() of client.h).
std::string in_words(std::string message, const std::map<std::string, std::string>& words) {
  constexpr std::string_view kItem = "\n  ";
  for (auto at = message.find(kItem); at != std::string::npos; at = message.find(kItem, at + 1)) {
    const auto begin = at + kItem.size();
    const auto end = message.find(": ", begin);
    if (end == std::string::npos) continue;
    const auto word = words.find(message.substr(begin, end - begin));
    if (word != words.end()) message.replace(begin, end - begin, word->second);
  }
  return message;
}

}  // namespace

Context::Context()
    : environment([](const char* name) {
        const char* value = std::getenv(name);
        return std::string(value != nullptr ? value : "");
      }),
      pause([](std::chrono::milliseconds wait) { std::this_thread::sleep_for(wait); }) {}

void Context::print(std::string_view text) const {
  if (!can_print()) return;
  errno = 0;
  const bool written = std::fwrite(text.data(), 1, text.size(), out) == text.size() && std::fflush(out) == 0;
  if (!written) output_error = errno != 0 ? errno : EIO;
}

void Context::complain(std::string_view text) const { fmt::print(err, "sallyport: {}\n", terminal_safe_lines(text)); }

int Context::fail_with(const Error& error) const {
  complain(in_words(error.message, words));
  switch (error.code) {
    case Errc::not_found: return kNotFound;
    case Errc::unauthenticated:
    case Errc::forbidden: return kNotAllowed;
    case Errc::unavailable:
    case Errc::timed_out: return kUnreachable;
    default: return kFailed;
  }
}

void Context::show(const Value& value, std::string_view text) const {
  switch (format) {
    case Format::json: return print(terminal_safe_json(to_pretty_json(value)) + "\n");
    case Format::yaml: return print(terminal_safe_json(yaml_of(value)));
    case Format::table: return print(text);
  }
}

void Context::show_line(const Value& value, std::string_view text) const {
  switch (format) {
    case Format::json: return print(terminal_safe_json(to_json(value)) + "\n");
    case Format::yaml: return print("---\n" + terminal_safe_json(yaml_of(value)));
    case Format::table: return print(text);
  }
}

Result<std::string> read_all(std::FILE* file, std::size_t limit) {
  std::string text;
  char chunk[64 * 1024];
  errno = 0;
  while (const auto size = std::fread(chunk, 1, sizeof chunk, file)) {
    text.append(chunk, size);
    if (text.size() > limit) return fail(Errc::too_large, fmt::format("the input is larger than {} bytes", limit));
  }
  wipe(chunk, sizeof chunk);  // some inputs are secret
  if (std::ferror(file) != 0)
    return fail(Errc::invalid, fmt::format("cannot read it to its end: {}", std::strerror(errno)));
  return text;
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) return fail(Errc::invalid, fmt::format("{}: {}", path, std::strerror(errno)));
  std::setvbuf(file.get(), nullptr, _IONBF, 0);  // which would keep a copy
  auto text = read_all(file.get(), limit);
  if (!text) return in_context(path, std::move(text).error());
  return text;
}

Result<std::string> read_input(const Context& context, const std::string& path, std::size_t limit) {
  return path == "-" ? read_all(context.in, limit) : read_file(path, limit);
}

}  // namespace sallyport::cli
