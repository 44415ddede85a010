#pragma once

#include "agent/platform/shared_library.h"

#include <string>

#include <libpq-fe.h>

namespace sallyport::connectors::sql {

#define SALLYPORT_LIBPQ_FUNCTIONS(X) \
  X(PQclear)                         \
  X(PQcmdTuples)                     \
  X(PQconnectPoll)                   \
  X(PQconnectStartParams)            \
  X(PQconsumeInput)                  \
  X(PQenterPipelineMode)             \
  X(PQerrorMessage)                  \
  X(PQexitPipelineMode)              \
  X(PQfinish)                        \
  X(PQflush)                         \
  X(PQfname)                         \
  X(PQftype)                         \
  X(PQgetResult)                     \
  X(PQgetisnull)                     \
  X(PQgetlength)                     \
  X(PQgetvalue)                      \
  X(PQisBusy)                        \
  X(PQnfields)                       \
  X(PQnparams)                       \
  X(PQntuples)                       \
  X(PQparameterStatus)               \
  X(PQparamtype)                     \
  X(PQpipelineSync)                  \
  X(PQputCopyData)                   \
  X(PQputCopyEnd)                    \
  X(PQresultErrorField)              \
  X(PQresultStatus)                  \
  X(PQsendDescribePrepared)          \
  X(PQsendPrepare)                   \
  X(PQsendQuery)                     \
  X(PQsendQueryPrepared)             \
  X(PQserverVersion)                 \
  X(PQsetNoticeReceiver)             \
  X(PQsetSingleRowMode)              \
  X(PQsetnonblocking)                \
  X(PQsocket)                        \
  X(PQstatus)                        \
  X(PQtransactionStatus)

// The functions of libpq, under their own names.
struct Libpq {
  SALLYPORT_LIBPQ_FUNCTIONS(SALLYPORT_FUNCTION_MEMBER)
};

// Errors: not_found, with what to install.
Result<Libpq> open_libpq(const std::string& file = "libpq.so.5");

// libpq is loaded by the first connection to PostgreSQL, not with the program: Debian's brings LDAP, Kerberos and a
// second TLS, 3 MiB that an agent without PostgreSQL neither holds nor needs installed (docs/decisions/0015).
Result<void> load_libpq();
// After load_libpq.
const Libpq& libpq();

}  // namespace sallyport::connectors::sql
