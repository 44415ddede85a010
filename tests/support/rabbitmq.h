#pragma once

#include "tests/support/server_process.h"
#include "tests/support/temp_dir.h"

#include <cstdint>
#include <memory>
#include <string>

namespace sallyport::test {

// A real RabbitMQ of its own, in a temporary directory and on free loopback ports. Stopped and removed when this dies,
// and with the test when it crashes. Logins by password, and by client certificate with the name in its URI.
class RabbitMq {
 public:
  struct Files {
    std::string certificate, key;  // of the server, PEM, with its chain
    std::string ca;                // for certificates of clients
  };
  // `definitions`: JSON with its users, queues, exchanges and bindings, as RabbitMQ exports them.
  RabbitMq(const Files& files, const std::string& definitions);

  std::uint16_t port() const { return port_; }          // clear text
  std::uint16_t tls_port() const { return tls_port_; }  // TLS from the start
  void pause();                                         // SIGSTOP: it accepts, and answers nothing
  void resume();

  // By Debian's command-line clients, past the agent.
  void put(const std::string& queue, const std::string& text) const;
  std::string get(const std::string& queue) const;  // empty when there is none
  void remove(const std::string& queue) const;
  void declare(const std::string& queue) const;

 private:
  std::string url() const;

  TempDir dir_;
  std::uint16_t port_ = 0, tls_port_ = 0, distribution_port_ = 0, names_port_ = 0;
  std::unique_ptr<RunningServer> names_, server_;
};

}  // namespace sallyport::test
