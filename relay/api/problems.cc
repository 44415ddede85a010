#include "relay/api/problems.h"

#include <algorithm>
#include <array>

namespace sallyport::api {
namespace {

enum class Detail { message, fixed };

struct Row {
  Errc code;
  int status;
  Detail detail;
  std::string_view text;  // shown for Detail::fixed, and when there is no message
};

constexpr std::array kTable{
    Row{Errc::cancelled, 503, Detail::fixed, "The relay is stopping; try again."},
    Row{Errc::timed_out, 504, Detail::fixed, "This took too long; ask for less, or try again."},
    Row{Errc::unavailable, 503, Detail::message, "Something this needs is not available now; try again later."},
    Row{Errc::unauthenticated, 401, Detail::fixed, "A valid API token is needed."},
    Row{Errc::forbidden, 403, Detail::message, "This is not allowed."},
    Row{Errc::not_found, 404, Detail::fixed, "There is no such thing here."},
    Row{Errc::conflict, 409, Detail::message, "The state changed underneath."},
    Row{Errc::invalid, 422, Detail::message, "The request is wrong."},
    Row{Errc::too_large, 413, Detail::message, "This is too large."},
    Row{Errc::exhausted, 429, Detail::message, "Too much at once; slow down."},
    Row{Errc::internal, 500, Detail::fixed, "Something broke here. The request id finds it in the log."},
};

}  // namespace

http::Problem to_problem(const Error& error) {
  const auto row = std::ranges::find(kTable, error.code, &Row::code);
  if (row == kTable.end()) return {500, "internal", "Something broke here.", {}};
  const bool shown = row->detail == Detail::message && !error.message.empty();
  return {row->status, std::string(to_string(error.code)), shown ? error.message : std::string(row->text), {}};
}

}  // namespace sallyport::api
