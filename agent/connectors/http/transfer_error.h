#pragma once

#include "agent/connectors/step_error.h"

#include <curl/curl.h>

namespace sallyport::connectors::http {

struct TransferFault {
  StepError error;
  bool names_settings;  // hosts, files, certificates: for the agent's log
};

// What libcurl says of a transfer that did not work. `problem` is its own text, which is not used where it may quote
// the server.
TransferFault to_transfer_fault(CURLcode code, const char* problem);

}  // namespace sallyport::connectors::http
