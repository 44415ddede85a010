#include "agent/connectors/sql/libmariadb.h"
#include "agent/connectors/sql/mysql_connection.h"
#include "agent/connectors/translate.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::connectors::sql {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kStack = 256u << 10;                 // of a non-blocking call: TLS and name resolution run on it
constexpr unsigned long kPacket = kMaxRow + (256u << 10);  // a row and what describes it; a larger one is not held
// Each keeps the password to itself, whoever asks: a server cannot have it sent in clear, or as the hashes of old.
constexpr const char* kLogins = "mysql_native_password,caching_sha2_password,client_ed25519";

// No handler for LOAD DATA LOCAL ever opens a file.
int refuse_file(void**, const char*, void*) { return 1; }
int read_nothing(void*, char*, unsigned) { return -1; }
void end_nothing(void*) {}
int tell_refusal(void*, char* text, unsigned length) {
  if (length > 0) *text = '\0';
  return 2000;  // CR_UNKNOWN_ERROR
}

// libmariadb reads no file of options and no environment unless it is told to.
class Options {
 public:
  explicit Options(st_mysql* connection) : connection_(connection) {}
  template <class T>
  void set(mysql_option option, T value) {
    good_ = libmariadb().mysql_optionsv(connection_, option, &value) == 0 && good_;
  }
  void set(mysql_option option, const char* value) {
    good_ = libmariadb().mysql_optionsv(connection_, option, value) == 0 && good_;
  }
  bool all_taken() const { return good_; }

 private:
  st_mysql* connection_;
  bool good_ = true;
};

bool prepare(st_mysql* connection, const policy::MysqlConnection& settings, std::chrono::milliseconds patience) {
  Options options(connection);
  options.set(MYSQL_OPT_NONBLOCK, kStack);
  options.set(MYSQL_SET_CHARSET_NAME, "utf8mb4");
  options.set<unsigned>(MYSQL_OPT_PROTOCOL, settings.is_socket() ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP);
  options.set<unsigned>(MYSQL_OPT_LOCAL_INFILE, 0);
  options.set(MYSQL_OPT_MAX_ALLOWED_PACKET, kPacket);
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(patience).count();
  options.set(MYSQL_OPT_CONNECT_TIMEOUT, static_cast<unsigned>(std::max<std::int64_t>(seconds, 1)));
  options.set(MARIADB_OPT_RESTRICTED_AUTH, kLogins);
  if (settings.sslmode != "disable") {
    options.set<my_bool>(MYSQL_OPT_SSL_ENFORCE, 1);
    options.set<my_bool>(MYSQL_OPT_SSL_VERIFY_SERVER_CERT, 1);
    options.set(MARIADB_OPT_TLS_VERSION, "TLSv1.2,TLSv1.3");
    options.set(MYSQL_OPT_SSL_CA,
                settings.ca_file.empty() ? "/etc/ssl/certs/ca-certificates.crt" : settings.ca_file.c_str());
  }
  libmariadb().mysql_set_local_infile_handler(connection, refuse_file, read_nothing, end_nothing, tell_refusal,
                                              nullptr);
  return options.all_taken();
}

}  // namespace

StepResult<std::unique_ptr<Connection>> connect_mysql(const policy::MysqlConnection& settings,
                                                      const vault::Vault& vault, const CallLimits& limits) {
  if (const auto loaded = load_libmariadb(); !loaded) return step_fail("connection", loaded.error().message);
  Secret password;
  if (settings.password) {
    SP_TRY(password, to_step(vault.resolve(settings.password)));
  }
  MysqlOwner connection(libmariadb().mysql_init(nullptr));
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(limits.deadline - Clock::now());
  if (!connection || !prepare(connection.get(), settings, std::min(settings.connect_timeout, left)))
    return step_fail("internal", "libmariadb does not take its settings");
  MysqlLogin login{settings.is_socket() ? "" : settings.host,
                   settings.is_socket() ? settings.host : "",
                   settings.user,
                   std::string(password.reveal()),
                   settings.database,
                   settings.port,
                   CLIENT_FOUND_ROWS};
  const auto doing = fmt::format("connecting to the database {} on {}{}", settings.database, settings.host,
                                 settings.is_socket() ? "" : fmt::format(":{}", settings.port));
  const CallLimits connecting{std::min(limits.deadline, Clock::now() + settings.connect_timeout), limits.stop};
  MysqlSession session(std::move(connection));
  const auto connected = session.connect(login, doing, connecting);
  wipe(login.password.data(), login.password.size());
  SP_CHECK(connected);
  const auto server = libmariadb().mariadb_connection(session.get()) != 0 ? MysqlConnectionImpl::Server::mariadb
                                                                          : MysqlConnectionImpl::Server::mysql;
  return std::make_unique<MysqlConnectionImpl>(std::move(session), server);
}

}  // namespace sallyport::connectors::sql
