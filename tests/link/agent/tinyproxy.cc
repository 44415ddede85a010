#include "tests/link/agent/tinyproxy.h"

#include "tests/support/free_port.h"

#include <fmt/format.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <thread>

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

namespace sallyport::test {
using boost::asio::ip::tcp;
using namespace std::chrono_literals;

namespace {

bool answers(std::uint16_t port) {
  boost::asio::io_context io;
  tcp::socket socket(io);
  boost::system::error_code bad;
  socket.connect({boost::asio::ip::address_v4::loopback(), port}, bad);
  return !bad;
}

}  // namespace

Tinyproxy::Tinyproxy(std::uint16_t connect_port) : port_(free_port()) {
  const auto config = dir_.write("tinyproxy.conf",
                                 fmt::format("Port {}\nListen 127.0.0.1\nTimeout 60\nAllow 127.0.0.1\nConnectPort {}\n"
                                             "BasicAuth operator open-sesame\nLogLevel Error\nMaxClients 20\n",
                                             port_, connect_port));
  std::string program = "/usr/bin/tinyproxy";
  std::string argument = config;
  char* argv[] = {program.data(), const_cast<char*>("-d"), const_cast<char*>("-c"), argument.data(), nullptr};
  char* no_environment[] = {nullptr};
  if (::posix_spawn(&pid_, program.c_str(), nullptr, nullptr, argv, no_environment) != 0) {
    throw std::runtime_error("tinyproxy does not start: install the package tinyproxy-bin");
  }
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (!answers(port_)) {
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("tinyproxy does not answer");
    std::this_thread::sleep_for(10ms);
  }
}

Tinyproxy::~Tinyproxy() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

std::string Tinyproxy::url(const std::string& credentials) const {
  return fmt::format("http://{}127.0.0.1:{}", credentials, port_);
}

}  // namespace sallyport::test
