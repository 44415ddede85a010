#pragma once

#include "agent/vault/vault.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace sallyport::policy {

// Which server is behind a driver, where the operator says so: what depends on it (the effect ledger, transactions that
// are read only, the options with which a driver streams) is known for these only.
enum class OdbcServer { other, postgres, mysql };

struct OdbcConnection {
  std::string driver;                                           // a name in the machine's odbcinst.ini, or
  std::string dsn;                                              // one in its odbc.ini
  std::vector<std::pair<std::string, std::string>> attributes;  // for the connection string, as they stand
  std::string user;                                             // may be empty
  vault::SecretRef password;
  OdbcServer server = OdbcServer::other;
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(10);
};

}  // namespace sallyport::policy
