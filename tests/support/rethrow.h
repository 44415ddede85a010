#pragma once

#include <stdexcept>
#include <string>

namespace sallyport {

// A TaskGroup's OnFault for tests: what leaves a task ends the test.
inline void rethrow(const std::string& task, const std::string& why) { throw std::runtime_error(task + ": " + why); }

}  // namespace sallyport
