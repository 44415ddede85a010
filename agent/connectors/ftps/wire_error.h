#pragma once

#include "agent/connectors/ftps/talk.h"

#include <curl/curl.h>

namespace sallyport::connectors::ftps {

// Why a call of libcurl did not work: by the server's last word where it refused, else by libcurl's own. Names no
// setting.
StepError call_error(CURLcode code, const Talk& talk);

}  // namespace sallyport::connectors::ftps
