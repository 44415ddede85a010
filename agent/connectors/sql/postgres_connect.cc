#include "agent/connectors/sql/libpq.h"
#include "agent/connectors/sql/postgres_connection.h"
#include "agent/connectors/sql/postgres_error.h"
#include "agent/connectors/translate.h"
#include "agent/platform/socket_wait.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <utility>

namespace sallyport::connectors::sql {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Every option that libpq would otherwise take from the environment or from files of the user is set here, so that only
// connections.yaml decides.
class Options {
 public:
  void set(const char* name, std::string value) {
    texts_.push_back(std::move(value));
    names_.push_back(name);
  }
  Result<ConnectionOwner> start(std::string_view password) {
    std::vector<const char*> names = names_, values;
    for (const auto& text : texts_) values.push_back(text.c_str());
    // libpq takes an empty password for none given, and looks for one in the environment.
    std::string secret(password.empty() ? "-" : password);
    names.push_back("password");
    values.push_back(secret.c_str());
    names.push_back(nullptr);
    values.push_back(nullptr);
    ConnectionOwner connection(libpq().PQconnectStartParams(names.data(), values.data(), 0));
    wipe(secret.data(), secret.size());
    if (!connection) return fail(Errc::internal, "out of memory");
    return connection;
  }

 private:
  std::vector<std::string> texts_;
  std::vector<const char*> names_;
};

Options options_for(const policy::PostgresConnection& settings) {
  Options options;
  options.set("host", settings.host);
  options.set("port", std::to_string(settings.port));
  options.set("dbname", settings.database);
  options.set("user", settings.user);
  options.set("sslmode", settings.sslmode);
  options.set("sslrootcert", settings.ca_file.empty() ? "/etc/ssl/certs/ca-certificates.crt" : settings.ca_file);
  options.set("sslcert", "/nonexistent");
  options.set("sslkey", "/nonexistent");
  options.set("passfile", "/nonexistent");
  options.set("ssl_min_protocol_version", "TLSv1.2");
  options.set("gssencmode", "disable");
  options.set("client_encoding", "UTF8");
  options.set("application_name", "sallyport-agent");
  options.set("keepalives_idle", "30");
  options.set("tcp_user_timeout", "15000");
  options.set("options",
              "-c standard_conforming_strings=on -c datestyle=ISO -c timezone=UTC -c intervalstyle=iso_8601 -c "
              "bytea_output=hex -c extra_float_digits=1");
  return options;
}

void ignore_notice(void*, const PGresult*) {}

// These two have no value that means "not set"; they would send the connection elsewhere.
StepResult<void> check_environment() {
  for (const char* name : {"PGSERVICE", "PGHOSTADDR"}) {
    if (std::getenv(name) != nullptr)
      return step_fail(
          "invalid",
          fmt::format("unset the environment variable {} of the agent: connections.yaml says where a database is",
                      name));
  }
  return {};
}

StepResult<void> finish_connecting(PGconn* connection, const std::string& doing, const CallLimits& limits) {
  auto state = PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK) {
    if (state == PGRES_POLLING_FAILED) return std::unexpected(postgres_connection_error(connection, doing));
    if (limits.stop.stop_requested()) return step_fail("cancelled", "stopped");
    if (Clock::now() >= limits.deadline) return step_fail("connection", doing + ": the server did not answer in time");
    const auto need = state == PGRES_POLLING_READING ? platform::SocketNeed::reading : platform::SocketNeed::writing;
    const auto slice = std::min<Clock::duration>(50ms, limits.deadline - Clock::now());
    const auto socket = platform::wait_for_socket(libpq().PQsocket(connection), need, slice);
    if (socket == platform::SocketState::ready) state = libpq().PQconnectPoll(connection);
  }
  return {};
}

}  // namespace

StepResult<std::unique_ptr<Connection>> connect_postgres(const policy::PostgresConnection& settings,
                                                         const vault::Vault& vault, const CallLimits& limits) {
  SP_CHECK(check_environment());
  if (const auto loaded = load_libpq(); !loaded) return step_fail("connection", loaded.error().message);
  Secret password;
  if (settings.password) {
    SP_TRY(password, to_step(vault.resolve(settings.password)));
  }
  SP_TRY(auto connection, to_step(options_for(settings).start(password.reveal())));
  const auto doing =
      fmt::format("connecting to the database {} on {}:{}", settings.database, settings.host, settings.port);
  const CallLimits connecting{std::min(limits.deadline, Clock::now() + settings.connect_timeout), limits.stop};
  SP_CHECK(finish_connecting(connection.get(), doing, connecting));
  libpq().PQsetNoticeReceiver(connection.get(), ignore_notice, nullptr);  // a notice may quote rows
  if (libpq().PQsetnonblocking(connection.get(), 1) != 0)
    return std::unexpected(postgres_connection_error(connection.get(), doing));
  auto ready = std::make_unique<PostgresConnectionImpl>(std::move(connection));
  ready->watch_client(connecting);
  return ready;
}

}  // namespace sallyport::connectors::sql
