#include "tests/support/postgres.h"

#include "tests/support/free_port.h"
#include "tests/support/server_process.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <thread>
#include <vector>

namespace sallyport::test {
namespace {

const std::string kBinaries = "/usr/lib/postgresql/15/bin/";

// The server refuses to run as root.
pid_t spawn_as_postgres(std::vector<std::string> arguments, const std::string& log) {
  return spawn({std::move(arguments), log, "postgres", SIGQUIT});
}

}  // namespace

PostgresServer::PostgresServer() {
  ::chmod(dir_.path().c_str(), 0777);
  const auto password = dir_.write("password", PostgresServer::password() + "\n");
  const auto log = dir_.path("initdb.log");
  ::chmod(password.c_str(), 0644);
  const auto data = dir_.path("data");
  const pid_t init = spawn_as_postgres(
      {kBinaries + "initdb", "-D", data, "-U", "postgres", "--pwfile=" + password, "--auth-local=trust",
       "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"},
      log);
  int status = 0;
  ::waitpid(init, &status, 0);
  ::chmod(password.c_str(), 0600);
  if (status != 0) throw std::runtime_error("initdb failed:\n" + dir_.read("initdb.log"));
  port_ = free_port();
  start();
}

PostgresServer::~PostgresServer() {
  if (pid_ < 0) return;
  resume();
  ::kill(pid_, SIGQUIT);
  ::waitpid(pid_, nullptr, 0);
}

void PostgresServer::start() {
  pid_ = spawn_as_postgres({kBinaries + "postgres", "-D", dir_.path("data"), "-c", "port=" + std::to_string(port_),
                            "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=" + dir_.path(), "-c",
                            "fsync=off", "-c", "log_min_messages=panic", "-c", "max_connections=30"},
                           dir_.path("server.log"));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const auto ready = kBinaries + "pg_isready -q -h " + dir_.path() + " -p " + std::to_string(port_);
  while (std::system(ready.c_str()) != 0) {
    int status = 0;
    const bool ended = ::waitpid(pid_, &status, WNOHANG) == pid_;
    if (ended || std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error("PostgreSQL did not start:\n" + dir_.read("server.log"));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

void PostgresServer::stop() {
  ::kill(pid_, SIGINT);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

// The postmaster first: it begins no backend then.
void PostgresServer::pause() {
  suspend(pid_);
  for (const pid_t backend : descendants_of(pid_)) suspend(backend);
}

void PostgresServer::resume() {
  for (const pid_t backend : descendants_of(pid_)) ::kill(backend, SIGCONT);
  ::kill(pid_, SIGCONT);
}

std::string PostgresServer::sql(std::string_view text, std::string_view database) const {
  const auto file = dir_.write("statement.sql", text);
  auto output = output_of("psql -X -q -A -t -v ON_ERROR_STOP=1 -h " + dir_.path() + " -p " + std::to_string(port_) +
                          " -U postgres -d " + std::string(database) + " -f " + file + " 2>&1");
  while (output.ends_with('\n')) output.pop_back();
  return output;
}

}  // namespace sallyport::test
