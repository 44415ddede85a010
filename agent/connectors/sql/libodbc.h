#pragma once

#include "agent/platform/shared_library.h"

#include <string>

#include <sql.h>
#include <sqlext.h>
#include <sqlucode.h>

namespace sallyport::connectors::sql {

#define SALLYPORT_LIBODBC_FUNCTIONS(X) \
  X(SQLAllocHandle)                    \
  X(SQLBindParameter)                  \
  X(SQLCancel)                         \
  X(SQLColAttributeW)                  \
  X(SQLDescribeColW)                   \
  X(SQLDescribeParam)                  \
  X(SQLDisconnect)                     \
  X(SQLDriverConnectW)                 \
  X(SQLEndTran)                        \
  X(SQLExecute)                        \
  X(SQLFetch)                          \
  X(SQLFreeHandle)                     \
  X(SQLFreeStmt)                       \
  X(SQLGetConnectAttr)                 \
  X(SQLGetData)                        \
  X(SQLGetDiagRecW)                    \
  X(SQLGetInfoW)                       \
  X(SQLMoreResults)                    \
  X(SQLNumParams)                      \
  X(SQLNumResultCols)                  \
  X(SQLPrepareW)                       \
  X(SQLRowCount)                       \
  X(SQLSetConnectAttr)                 \
  X(SQLSetEnvAttr)                     \
  X(SQLSetStmtAttr)

// The functions of unixODBC's driver manager, under their own names.
struct Libodbc {
  SALLYPORT_LIBODBC_FUNCTIONS(SALLYPORT_FUNCTION_MEMBER)
};

// ODBC's attributes take numbers in the place of addresses.
inline SQLPOINTER odbc_number(SQLULEN value) {
  return reinterpret_cast<SQLPOINTER>(value);  // NOLINT(performance-no-int-to-ptr)
}

// Errors: not_found, with what to install.
Result<Libodbc> open_libodbc(const std::string& file = "libodbc.so.2");

// Loaded by the first connection through ODBC, as libpq.h is by one to PostgreSQL.
Result<void> load_libodbc();
// After load_libodbc.
const Libodbc& libodbc();

}  // namespace sallyport::connectors::sql
