#include "relay/tunnels/client.h"

#include "relay/tunnels/listener.h"
#include "shared/tunnel/join.h"

#include <boost/asio/this_coro.hpp>

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
  ChannelClient(link::Channel channel, TaskGroup& tasks) : channel_(std::move(channel)), tasks_(tasks) {}
  void carry(link::Channel& target, tunnel::Flow& flow, tunnel::SpliceLimits limits,
             tunnel::OnSpliceEnd on_end) override {
    tasks_.spawn("connection", join(target, flow, limits, std::move(on_end)));
  }
  void stop() override { stop_.request(); }
  void refuse(const Ending& why) override { channel_.reset(code_of(why.end), why.detail); }

 private:
  asio::awaitable<void> join(link::Channel& target, tunnel::Flow& flow, tunnel::SpliceLimits limits,
                             tunnel::OnSpliceEnd on_end);

  link::Channel channel_;
  TaskGroup& tasks_;
  tunnel::JoinStop stop_;
};

// The end of it may be the end of this client.
asio::awaitable<void> ChannelClient::join(link::Channel& target, tunnel::Flow& flow, tunnel::SpliceLimits limits,
                                          tunnel::OnSpliceEnd on_end) {
  co_await asio::this_coro::throw_if_cancelled(false);
  tunnel::SpliceOutcome outcome{tunnel::SpliceEnd::failed, std::nullopt, "a fault in the relay"};
  try {
    outcome = co_await tunnel::join(channel_, target, flow, limits, &stop_);
  } catch (const std::exception& fault) {
    outcome.detail = fault.what();
  }
  on_end(std::move(outcome));
}

}  // namespace

std::unique_ptr<Client> make_client(asio::ip::tcp::socket socket) {
  return std::make_unique<SocketClient>(std::move(socket));
}

std::unique_ptr<Client> make_client(link::Channel channel, TaskGroup& tasks) {
  return std::make_unique<ChannelClient>(std::move(channel), tasks);
}

}  // namespace sallyport::tunnels
