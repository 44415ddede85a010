#pragma once

#include "shared/async/event.h"
#include "shared/async/task_group.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <list>
#include <string>

namespace sallyport::test {

// A TCP line to a local port that can go dead without a word: what is on it is neither read nor forwarded, and nothing
// is closed, as if a firewall had dropped the flow. Call finish() before it dies.
class Line {
 public:
  struct Dead {
    bool to_relay = false;
    bool to_agent = false;
  };
  Line(const boost::asio::any_io_executor& executor, std::uint16_t to_port);
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  void die(Dead directions);                                 // the connections there are, for ever
  void die(const std::string& peer, Dead directions);        // the one that the relay sees come from there
  void cut(const std::string& peer);                         // closes that one at both ends
  void swallow(Dead directions);                             // and those to come
  std::size_t connections() const { return wires_.size(); }  // so far
  boost::asio::awaitable<void> finish();

 private:
  using Socket = boost::asio::ip::tcp::socket;
  struct Wire {
    explicit Wire(const boost::asio::any_io_executor& executor)
        : agent(executor), relay(executor), to_relay(executor), to_agent(executor) {}
    Socket agent, relay;
    Event to_relay, to_agent;  // set while alive
  };
  Wire& wire_of(const std::string& peer);
  boost::asio::awaitable<void> accept_loop();
  boost::asio::awaitable<void> connect(Wire& wire);
  boost::asio::awaitable<void> pump(Socket& from, Socket& to, Event& alive);

  boost::asio::ip::tcp::endpoint to_;
  boost::asio::ip::tcp::acceptor acceptor_;
  Dead to_come_;
  std::list<Wire> wires_;
  TaskGroup tasks_;
};

}  // namespace sallyport::test
