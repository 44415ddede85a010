#include "agent/connectors/sql/libpq.h"

#include "agent/connectors/sql/database.h"
#include "agent/platform/shared_library.h"

#include <fmt/format.h>

#include <mutex>

namespace sallyport::connectors::sql {
namespace {

std::mutex loading;
constinit Libpq loaded;
constinit bool is_loaded = false;

template <class Function>
Result<void> find(const platform::SharedLibrary& library, const char* name, Function& function) {
  SP_TRY(void* const address, library.find(name));
  function = reinterpret_cast<Function>(address);
  return {};
}

Result<Libpq> find_all(const std::string& file) {
  SP_TRY(const auto library, platform::SharedLibrary::load(file));
  Libpq functions;
#define SALLYPORT_FIND(name) SP_CHECK(find(library, #name, functions.name));
  SALLYPORT_LIBPQ_FUNCTIONS(SALLYPORT_FIND)
#undef SALLYPORT_FIND
  return functions;
}

}  // namespace

Result<Libpq> open_libpq(const std::string& file) {
  auto functions = find_all(file);
  if (functions) return functions;
  return in_context("PostgreSQL's client library cannot be used (Debian: the package libpq5)", functions.error());
}

Result<void> load_libpq() {
  const std::lock_guard lock(loading);
  if (is_loaded) return {};
  SP_TRY(loaded, open_libpq());
  is_loaded = true;
  return {};
}

const Libpq& libpq() { return loaded; }

Result<void> check_postgres_client() { return load_libpq(); }

}  // namespace sallyport::connectors::sql
