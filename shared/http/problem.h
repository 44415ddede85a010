#pragma once

#include "shared/http/types.h"

#include <string>
#include <string_view>

namespace sallyport::http {

// One thing that is wrong with a request: where (JSON Pointer, "?name", or "line:column" of a document), what, and the
// id of the rule that says so, if rules have ids there.
struct ProblemItem {
  std::string where;
  std::string what;
  std::string rule = {};
};

// An error answer as RFC 9457 wants it (application/problem+json). `code` is stable and for programs ("not_found"),
// `detail` is for people; neither holds a secret or a payload.
struct Problem {
  int status = 500;
  std::string code;
  std::string detail;
  std::vector<ProblemItem> errors;
};

Response to_response(const Problem& problem);
std::string_view reason_phrase(int status);

}  // namespace sallyport::http
