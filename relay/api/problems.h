#pragma once

#include "shared/base/result.h"
#include "shared/http/problem.h"

namespace sallyport::api {

// The one table from an error of ours to an answer. What is absent and what is another organisation's give the same
// bytes; internal errors keep their message for the log.
http::Problem to_problem(const Error& error);

}  // namespace sallyport::api
