#include "tests/support/mariadb.h"

#include "tests/support/free_port.h"
#include "tests/support/server_process.h"

#include <fmt/format.h>

#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <sstream>
#include <thread>

namespace sallyport::test {
namespace {

// Small, and nothing is forced to the disk.
constexpr std::string_view kOptions =
    "--no-defaults --user=root --debug-no-sync --innodb-flush-log-at-trx-commit=0 --innodb-log-file-size=8M "
    "--innodb-buffer-pool-size=32M --performance-schema=OFF --skip-name-resolve --max-allowed-packet=512M "
    "--loose-max-recursive-iterations=4294967295 --max-connections=40";

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

}  // namespace

std::string MariadbServer::options() const { return fmt::format("{} --datadir={}", kOptions, dir_.path("data")); }

MariadbServer::MariadbServer() {
  const auto password = dir_.write("password", MariadbServer::password() + "\n");
  ::chmod(password.c_str(), 0600);
  ::mkdir(dir_.path("data").c_str(), 0700);
  ::mkdir(dir_.path("data/mysql").c_str(), 0700);
  const std::string scripts = "/usr/share/mysql/mysql_system_tables";
  output_of(fmt::format("(echo 'use mysql;'; cat {0}.sql {0}_data.sql) | /usr/sbin/mariadbd {1} --bootstrap 2>&1",
                        scripts, options()));
  output_of(
      fmt::format("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test "
                  "-addext subjectAltName=IP:127.0.0.1 -keyout {} -out {} 2>&1",
                  dir_.path("key.pem"), ca_file()));
  port_ = free_port();
  start();
  sql(fmt::format("create user agent@127.0.0.1 identified by '{}'; grant all on *.* to agent@127.0.0.1",
                  MariadbServer::password()));
}

MariadbServer::~MariadbServer() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void MariadbServer::start() {
  const auto command =
      fmt::format("/usr/sbin/mariadbd {} --port={} --bind-address=127.0.0.1 --socket={} --ssl-cert={} --ssl-key={}",
                  options(), port_, socket(), ca_file(), dir_.path("key.pem"));
  pid_ = spawn({words_of(command), dir_.path("server.log"), nullptr, SIGKILL});
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const auto ask = fmt::format("mariadb --no-defaults -S {} -u root -e 'do 0' 2>/dev/null", socket());
  while (std::system(ask.c_str()) != 0) {
    int status = 0;
    const bool ended = ::waitpid(pid_, &status, WNOHANG) == pid_;
    if (ended || std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error("MariaDB did not start:\n" + dir_.read("server.log"));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

void MariadbServer::stop() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void MariadbServer::pause() { suspend(pid_); }
void MariadbServer::resume() { ::kill(pid_, SIGCONT); }

std::string MariadbServer::sql(std::string_view text, std::string_view database) const {
  const auto file = dir_.write("statement.sql", text);
  auto output =
      output_of(fmt::format("mariadb --no-defaults --default-character-set=utf8mb4 --batch --raw --skip-column-names "
                            "-S {} -u root {} < {} 2>&1",
                            socket(), database, file));
  std::ranges::replace(output, '\t', '|');
  while (output.ends_with('\n')) output.pop_back();
  return output;
}

}  // namespace sallyport::test
