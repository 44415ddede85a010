#include "relay/tunnels/client.h"

#include "relay/tunnels/listener.h"
#include "shared/tunnel/join.h"

namespace sallyport::tunnels {
namespace asio = boost::asio;
namespace {

class SocketClient final : public Client {
 public:
  explicit SocketClient(asio::ip::tcp::socket socket) : socket_(std::move(socket)) {}
  asio::awaitable<tunnel::SpliceOutcome> carry(link::Channel& target, tunnel::Flow& flow, tunnel::SpliceLimits limits,
                                               tunnel::SpliceStop& stop) override {
    return tunnel::splice(socket_, target, flow, limits, &stop);
  }
  void refuse(const Ending&) override { reset(socket_); }

 private:
  asio::ip::tcp::socket socket_;
};

mux::ResetCode code_of(ConnectionEnd end) {
  switch (end) {
    case ConnectionEnd::too_many: return mux::ResetCode::exhausted;
    case ConnectionEnd::no_agent: return mux::ResetCode::unreachable;
    case ConnectionEnd::not_allowed: return mux::ResetCode::forbidden;
    default: return mux::ResetCode::cancelled;
  }
}

class ChannelClient final : public Client {
 public:
  explicit ChannelClient(link::Channel channel) : channel_(std::move(channel)) {}
  asio::awaitable<tunnel::SpliceOutcome> carry(link::Channel& target, tunnel::Flow& flow, tunnel::SpliceLimits limits,
                                               tunnel::SpliceStop& stop) override {
    return tunnel::join(channel_, target, flow, limits, &stop);
  }
  void refuse(const Ending& why) override { channel_.reset(code_of(why.end), why.detail); }

 private:
  link::Channel channel_;
};

}  // namespace

std::unique_ptr<Client> make_client(asio::ip::tcp::socket socket) {
  return std::make_unique<SocketClient>(std::move(socket));
}

std::unique_ptr<Client> make_client(link::Channel channel) {
  return std::make_unique<ChannelClient>(std::move(channel));
}

}  // namespace sallyport::tunnels
