#pragma once

#include "agent/platform/shared_library.h"

#include <string>

#include <mysql.h>

namespace sallyport::connectors::sql {

#define SALLYPORT_LIBMARIADB_FUNCTIONS(X) \
  X(mariadb_cancel)                       \
  X(mariadb_connection)                   \
  X(mariadb_get_infov)                    \
  X(mariadb_stmt_fetch_fields)            \
  X(mysql_close)                          \
  X(mysql_errno)                          \
  X(mysql_error)                          \
  X(mysql_get_socket)                     \
  X(mysql_get_timeout_value_ms)           \
  X(mysql_init)                           \
  X(mysql_optionsv)                       \
  X(mysql_real_connect_cont)              \
  X(mysql_real_connect_start)             \
  X(mysql_real_query_cont)                \
  X(mysql_real_query_start)               \
  X(mysql_reset_connection_cont)          \
  X(mysql_reset_connection_start)         \
  X(mysql_server_init)                    \
  X(mysql_session_track_get_first)        \
  X(mysql_set_local_infile_handler)       \
  X(mysql_sqlstate)                       \
  X(mysql_stmt_affected_rows)             \
  X(mysql_stmt_bind_param)                \
  X(mysql_stmt_bind_result)               \
  X(mysql_stmt_close)                     \
  X(mysql_stmt_errno)                     \
  X(mysql_stmt_error)                     \
  X(mysql_stmt_execute_cont)              \
  X(mysql_stmt_execute_start)             \
  X(mysql_stmt_fetch_cont)                \
  X(mysql_stmt_fetch_column)              \
  X(mysql_stmt_fetch_start)               \
  X(mysql_stmt_field_count)               \
  X(mysql_stmt_init)                      \
  X(mysql_stmt_more_results)              \
  X(mysql_stmt_next_result_cont)          \
  X(mysql_stmt_next_result_start)         \
  X(mysql_stmt_param_count)               \
  X(mysql_stmt_prepare_cont)              \
  X(mysql_stmt_prepare_start)             \
  X(mysql_stmt_sqlstate)

// The functions of MariaDB Connector/C, under their own names.
struct Libmariadb {
  SALLYPORT_LIBMARIADB_FUNCTIONS(SALLYPORT_FUNCTION_MEMBER)
};

// Errors: not_found, with what to install.
Result<Libmariadb> open_libmariadb(const std::string& file = "libmariadb.so.3");

// Loaded by the first connection to MySQL or MariaDB, as libpq.h is by one to PostgreSQL.
Result<void> load_libmariadb();
// After load_libmariadb.
const Libmariadb& libmariadb();

}  // namespace sallyport::connectors::sql
