#include "agent/connectors/sql/libmariadb.h"

namespace sallyport::connectors::sql {
namespace {

Result<Libmariadb> find_all(const std::string& file) {
  SP_TRY(const auto library, platform::SharedLibrary::load(file));
  Libmariadb functions;
  SALLYPORT_LIBMARIADB_FUNCTIONS(SALLYPORT_FIND_FUNCTION)
  return functions;
}

// The library's own start is not safe for threads, so that it happens here, once.
Result<Libmariadb> open_and_start() {
  SP_TRY(const auto functions, open_libmariadb());
  if (functions.mysql_server_init(0, nullptr, nullptr) != 0) return fail(Errc::internal, "libmariadb does not start");
  return functions;
}

constinit platform::OnDemand<Libmariadb> client(open_and_start);

}  // namespace

Result<Libmariadb> open_libmariadb(const std::string& file) {
  auto functions = find_all(file);
  if (functions) return functions;
  return in_context("the client library of MySQL and MariaDB cannot be used (Debian: the package libmariadb3)",
                    functions.error());
}

Result<void> load_libmariadb() { return client.load(); }

const Libmariadb& libmariadb() { return client.functions(); }

}  // namespace sallyport::connectors::sql
