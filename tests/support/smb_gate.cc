#include "tests/support/smb_gate.h"

#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <vector>

namespace sallyport::test {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

tcp::endpoint loopback(std::uint16_t port) { return {asio::ip::address_v4::loopback(), port}; }

// A message with its length ([MS-SMB2] 2.1); empty at the end.
std::vector<std::uint8_t> read_message(tcp::socket& from) {
  std::vector<std::uint8_t> message(4);
  boost::system::error_code failed;
  asio::read(from, asio::buffer(message), failed);
  if (failed) return {};
  message.resize(4 + (std::size_t{message[1]} << 16 | std::size_t{message[2]} << 8 | message[3]));
  asio::read(from, asio::buffer(message.data() + 4, message.size() - 4), failed);
  if (failed) return {};
  return message;
}

}  // namespace

void SmbGate::Line::cut() {
  for (auto* socket : {&client, &server}) ::shutdown(socket->native_handle(), SHUT_RDWR);
}

SmbGate::SmbGate(std::uint16_t server)
    : server_(server), acceptor_(loop_, loopback(0)), accepting_([this] { take_connections(); }) {}

SmbGate::~SmbGate() {
  ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
  accepting_.join();
  for (auto& line : lines_) line.cut();
}

void SmbGate::cut_after(int messages) {
  has_cut_ = false;
  left_ = messages;
}

bool SmbGate::has_cut() {
  left_ = kNever;
  return has_cut_;
}

void SmbGate::take_connections() {
  for (;;) {
    boost::system::error_code failed;
    tcp::socket client(loop_), server(loop_);
    acceptor_.accept(client, failed);
    if (failed) return;
    server.connect(loopback(server_), failed);
    if (failed) continue;
    auto& line = lines_.emplace_back(std::move(client), std::move(server));
    line.requests = std::jthread([this, &line] { pass_requests(line); });
    line.answers = std::jthread([this, &line] { pass_answers(line); });
  }
}

void SmbGate::pass_requests(Line& line) {
  for (boost::system::error_code failed; !failed;) {
    const auto message = read_message(line.client);
    if (message.empty()) break;
    if (left_ == 0) continue;  // the line is about to be cut
    if (left_ != kNever) --left_;
    asio::write(line.server, asio::buffer(message), failed);
  }
  line.cut();
}

void SmbGate::pass_answers(Line& line) {
  std::array<std::uint8_t, 65'536> bytes{};
  for (boost::system::error_code failed; !failed;) {
    const auto got = line.server.read_some(asio::buffer(bytes), failed);
    if (failed) break;
    if (left_ == 0) {
      has_cut_ = true;
      left_ = kNever;
      break;
    }
    asio::write(line.client, asio::buffer(bytes, got), failed);
  }
  line.cut();
}

}  // namespace sallyport::test
