#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <atomic>
#include <cstdint>
#include <limits>
#include <list>
#include <thread>

namespace sallyport::test {

// A loopback port in front of an SMB server: passes what clients and server send, and can break off at a message.
class SmbGate {
 public:
  explicit SmbGate(std::uint16_t server);
  ~SmbGate();
  SmbGate(const SmbGate&) = delete;
  SmbGate& operator=(const SmbGate&) = delete;

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

  // From now on: after so many messages of clients their connection breaks. The server gets the last one, nobody gets
  // its answer. Later connections pass.
  void cut_after(int messages);
  // Whether that has happened; what is left of it is called off.
  bool has_cut();

 private:
  using Socket = boost::asio::ip::tcp::socket;
  struct Line {
    Line(Socket c, Socket s) : client(std::move(c)), server(std::move(s)) {}
    void cut();
    Socket client, server;
    std::jthread requests, answers;
  };
  static constexpr int kNever = std::numeric_limits<int>::max();

  void take_connections();
  void pass_requests(Line& line);
  void pass_answers(Line& line);

  std::uint16_t server_;
  boost::asio::io_context loop_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::atomic<int> left_ = kNever;
  std::atomic<bool> has_cut_ = false;
  std::list<Line> lines_;
  std::jthread accepting_;
};

}  // namespace sallyport::test
