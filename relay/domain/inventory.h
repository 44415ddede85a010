#pragma once

#include <string>

namespace sallyport::domain {

// What the relay keeps of whom, how and for how long: fields() and the fields of logs as a document (Markdown).
std::string data_inventory();

}  // namespace sallyport::domain
