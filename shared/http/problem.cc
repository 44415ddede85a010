#include "shared/http/problem.h"

#include "shared/base/json.h"

#include <algorithm>
#include <array>

namespace sallyport::http {
namespace {

struct Reason {
  int status;
  std::string_view phrase;
};
constexpr std::array kReasons{Reason{101, "Switching Protocols"},
                              Reason{200, "OK"},
                              Reason{201, "Created"},
                              Reason{202, "Accepted"},
                              Reason{204, "No Content"},
                              Reason{304, "Not Modified"},
                              Reason{400, "Bad Request"},
                              Reason{401, "Unauthorized"},
                              Reason{403, "Forbidden"},
                              Reason{404, "Not Found"},
                              Reason{405, "Method Not Allowed"},
                              Reason{406, "Not Acceptable"},
                              Reason{408, "Request Timeout"},
                              Reason{409, "Conflict"},
                              Reason{411, "Length Required"},
                              Reason{412, "Precondition Failed"},
                              Reason{413, "Content Too Large"},
                              Reason{414, "URI Too Long"},
                              Reason{415, "Unsupported Media Type"},
                              Reason{417, "Expectation Failed"},
                              Reason{422, "Unprocessable Content"},
                              Reason{426, "Upgrade Required"},
                              Reason{428, "Precondition Required"},
                              Reason{429, "Too Many Requests"},
                              Reason{431, "Request Header Fields Too Large"},
                              Reason{500, "Internal Server Error"},
                              Reason{501, "Not Implemented"},
                              Reason{503, "Service Unavailable"},
                              Reason{504, "Gateway Timeout"},
                              Reason{505, "HTTP Version Not Supported"}};

}  // namespace

std::string_view reason_phrase(int status) {
  const auto it = std::ranges::find(kReasons, status, &Reason::status);
  return it == kReasons.end() ? "Unknown" : it->phrase;
}

Response to_response(const Problem& problem) {
  ValueMap body{{Value("type"), Value("about:blank")},
                {Value("title"), Value(reason_phrase(problem.status))},
                {Value("status"), Value(problem.status)},
                {Value("code"), Value(problem.code)},
                {Value("detail"), Value(problem.detail)}};
  if (!problem.errors.empty()) {
    ValueList errors;
    for (const auto& item : problem.errors) {
      ValueMap entry{{Value("where"), Value(item.where)}, {Value("what"), Value(item.what)}};
      if (!item.rule.empty()) entry.emplace(Value("rule"), Value(item.rule));
      errors.emplace_back(std::move(entry));
    }
    body.emplace(Value("errors"), Value(std::move(errors)));
  }
  Response response{.status = problem.status, .body = to_json(Value(std::move(body)))};
  response.headers.set("Content-Type", "application/problem+json");
  return response;
}

}  // namespace sallyport::http
