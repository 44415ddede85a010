#pragma once

#include "agent/platform/shared_library.h"

#include <string>

#include <curl/curl.h>

namespace sallyport::connectors {

// curl_easy_setopt() and its like are macros over the functions.
#undef curl_easy_setopt
#undef curl_easy_getinfo

#define SALLYPORT_LIBCURL_FUNCTIONS(X) \
  X(curl_easy_cleanup)                 \
  X(curl_easy_getinfo)                 \
  X(curl_easy_init)                    \
  X(curl_easy_perform)                 \
  X(curl_easy_recv)                    \
  X(curl_easy_reset)                   \
  X(curl_easy_send)                    \
  X(curl_easy_setopt)                  \
  X(curl_easy_strerror)                \
  X(curl_free)                         \
  X(curl_getdate)                      \
  X(curl_global_init)                  \
  X(curl_multi_add_handle)             \
  X(curl_multi_cleanup)                \
  X(curl_multi_info_read)              \
  X(curl_multi_init)                   \
  X(curl_multi_perform)                \
  X(curl_multi_poll)                   \
  X(curl_multi_remove_handle)          \
  X(curl_multi_wakeup)                 \
  X(curl_slist_append)                 \
  X(curl_slist_free_all)               \
  X(curl_url)                          \
  X(curl_url_cleanup)                  \
  X(curl_url_get)                      \
  X(curl_url_set)

// The functions of libcurl, under their own names.
struct Libcurl {
  SALLYPORT_LIBCURL_FUNCTIONS(SALLYPORT_FUNCTION_MEMBER)
};

// Errors: not_found, with what to install.
Result<Libcurl> open_libcurl(const std::string& file = "libcurl.so.4");

// libcurl is loaded by the first step that needs it, not with the program (docs/decisions/0015).
Result<void> load_libcurl();
// After load_libcurl.
const Libcurl& libcurl();

}  // namespace sallyport::connectors
