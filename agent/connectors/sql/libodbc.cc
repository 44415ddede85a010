#include "agent/connectors/sql/libodbc.h"

namespace sallyport::connectors::sql {
namespace {

Result<Libodbc> find_all(const std::string& file) {
  SP_TRY(const auto library, platform::SharedLibrary::load(file));
  Libodbc functions;
  SALLYPORT_LIBODBC_FUNCTIONS(SALLYPORT_FIND_FUNCTION)
  return functions;
}

constinit platform::OnDemand<Libodbc> manager([] { return open_libodbc(); });

}  // namespace

Result<Libodbc> open_libodbc(const std::string& file) {
  auto functions = find_all(file);
  if (functions) return functions;
  return in_context("ODBC's driver manager cannot be used (Debian: the package libodbc2)", functions.error());
}

Result<void> load_libodbc() { return manager.load(); }

const Libodbc& libodbc() { return manager.functions(); }

}  // namespace sallyport::connectors::sql
