#include "relay/tunnels/client.h"

#include "relay/tunnels/listener.h"
#include "shared/tunnel/join.h"

namespace sallyport::tunnels {
namespace asio = boost::asio;
namespace {

class SocketClient final : public Client {
 public:
  explicit SocketClient(asio::ip::tcp::socket socket) : socket_(std::move(socket)) {}
  void carry(link::Channel& target, tunnel::Flow& flow, tunnel::SpliceLimits limits,
             tunnel::OnSpliceEnd on_end) override {
    carriage_ = tunnel::begin_splice(socket_, target, flow, limits, std::move(on_end));
  }
  void stop() override {
    if (carriage_) carriage_->stop();
  }
  void refuse(const Ending&) override { reset(socket_); }

 private:
  asio::ip::tcp::socket socket_;
  std::shared_ptr<tunnel::Carriage> carriage_;
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
  ChannelClient(const asio::any_io_executor& executor, link::Channel channel)
      : executor_(executor), channel_(std::move(channel)) {}
  void carry(link::Channel& target, tunnel::Flow& flow, tunnel::SpliceLimits limits,
             tunnel::OnSpliceEnd on_end) override {
    carriage_ = tunnel::begin_join(executor_, channel_, target, flow, limits, std::move(on_end));
  }
  void stop() override {
    if (carriage_) carriage_->stop();
  }
  void refuse(const Ending& why) override { channel_.reset(code_of(why.end), why.detail); }

 private:
  asio::any_io_executor executor_;
  link::Channel channel_;
  std::shared_ptr<tunnel::Carriage> carriage_;
};

}  // namespace

std::unique_ptr<Client> make_client(asio::ip::tcp::socket socket) {
  return std::make_unique<SocketClient>(std::move(socket));
}

std::unique_ptr<Client> make_client(const asio::any_io_executor& executor, link::Channel channel) {
  return std::make_unique<ChannelClient>(executor, std::move(channel));
}

}  // namespace sallyport::tunnels
