#include "agent/connectors/libcurl.h"

namespace sallyport::connectors {
namespace {

Result<Libcurl> find_all(const std::string& file) {
  SP_TRY(const auto library, platform::SharedLibrary::load(file));
  Libcurl functions;
  SALLYPORT_LIBCURL_FUNCTIONS(SALLYPORT_FIND_FUNCTION)
  if (functions.curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return fail(Errc::unavailable, "it does not start");
  return functions;
}

constinit platform::OnDemand<Libcurl> client([] { return open_libcurl(); });

}  // namespace

Result<Libcurl> open_libcurl(const std::string& file) {
  auto functions = find_all(file);
  if (functions) return functions;
  return in_context("libcurl cannot be used (Debian: the package libcurl4)", functions.error());
}

Result<void> load_libcurl() { return client.load(); }

const Libcurl& libcurl() { return client.functions(); }

}  // namespace sallyport::connectors
