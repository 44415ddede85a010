#include "agent/connectors/sql/libpq.h"

#include <fmt/format.h>

namespace sallyport::connectors::sql {
namespace {

Result<Libpq> find_all(const std::string& file) {
  SP_TRY(const auto library, platform::SharedLibrary::load(file));
  Libpq functions;
  SALLYPORT_LIBPQ_FUNCTIONS(SALLYPORT_FIND_FUNCTION)
  return functions;
}

constinit platform::OnDemand<Libpq> client([] { return open_libpq(); });

}  // namespace

Result<Libpq> open_libpq(const std::string& file) {
  auto functions = find_all(file);
  if (functions) return functions;
  return in_context("PostgreSQL's client library cannot be used (Debian: the package libpq5)", functions.error());
}

Result<void> load_libpq() { return client.load(); }

const Libpq& libpq() { return client.functions(); }

}  // namespace sallyport::connectors::sql
