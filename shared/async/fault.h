#pragma once

#include <exception>
#include <string>

namespace sallyport {

// What an exception says of itself, for a log line or an error; "an exception of unknown type" for foreign ones.
std::string fault_text(const std::exception_ptr& fault);

// Whether it is Asio's operation_aborted, by which a cancelled coroutine leaves: an end, not a fault.
bool is_cancellation(const std::exception_ptr& fault);

}  // namespace sallyport
