#include "tests/bench/load/target.h"

#include "tests/bench/load/noise.h"
#include "tests/bench/load/sockets.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

namespace sallyport::bench {
namespace {

constexpr std::size_t kChunk = 256u << 10;
constexpr std::size_t kMostEcho = 64u << 10;
constexpr int kTurns = 8;  // reads or writes of one connection before the others have their turn
constexpr int kAccepts = 64;
constexpr std::chrono::milliseconds kBetweenCounts{5};

// One connection. Each call does as much as the socket takes; false means that it is over.
class Visitor {
 public:
  explicit Visitor(Fd socket) : socket_(std::move(socket)) {}

  int socket() const { return socket_.get(); }
  bool wants_to_write() const { return wish_ == Wish::produce || !unsent_.empty(); }
  bool on_readable(std::span<std::byte> scratch);
  bool on_writable(std::span<const std::byte> noise);

 private:
  bool choose(std::byte wish);
  bool take(std::span<const std::byte> bytes);
  bool send(std::span<const std::byte> bytes);
  bool count(std::size_t bytes);

  Fd socket_;
  std::optional<Wish> wish_;
  std::vector<std::byte> unsent_;
  std::uint64_t consumed_ = 0;
  std::chrono::steady_clock::time_point counted_{};
};

bool Visitor::on_readable(std::span<std::byte> scratch) {
  for (int turn = 0; turn < kTurns; ++turn) {
    const std::size_t most = !wish_ ? 1 : *wish_ == Wish::consume ? scratch.size() : kMostEcho;
    const auto got = ::recv(socket_.get(), scratch.data(), most, 0);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    const auto bytes = scratch.first(static_cast<std::size_t>(got));
    const bool chosen = wish_.has_value();
    if (!(chosen ? take(bytes) : choose(bytes[0]))) return false;
    if (chosen && bytes.size() < most) return true;
  }
  return true;
}

bool Visitor::choose(std::byte wish) {
  wish_ = static_cast<Wish>(wish);
  if (wish_ != Wish::answer) return wish_ == Wish::echo || wish_ == Wish::produce || wish_ == Wish::consume;
  send({&wish, 1});
  return false;
}

bool Visitor::take(std::span<const std::byte> bytes) {
  if (wish_ == Wish::consume) return count(bytes.size());
  return wish_ != Wish::echo || send(bytes);
}

bool Visitor::count(std::size_t bytes) {
  consumed_ += bytes;
  const auto now = std::chrono::steady_clock::now();
  if (now - counted_ < kBetweenCounts || !unsent_.empty()) return true;
  counted_ = now;
  return send(std::as_bytes(std::span(&consumed_, 1)));
}

bool Visitor::send(std::span<const std::byte> bytes) {
  if (unsent_.empty()) {
    const auto sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return false;
    bytes = bytes.subspan(sent > 0 ? static_cast<std::size_t>(sent) : 0);
  }
  unsent_.insert(unsent_.end(), bytes.begin(), bytes.end());
  return true;
}

bool Visitor::on_writable(std::span<const std::byte> noise) {
  for (int turn = 0; turn < kTurns && wants_to_write(); ++turn) {
    const auto bytes = wish_ == Wish::produce ? noise : std::span<const std::byte>(unsent_);
    const auto sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    if (wish_ != Wish::produce) unsent_.erase(unsent_.begin(), unsent_.begin() + sent);
  }
  return true;
}

class Server {
 public:
  explicit Server(Fd listener) : listener_(std::move(listener)), scratch_(kChunk), noise_(kChunk) {
    fill_noise(noise_, 0);
    watch(EPOLL_CTL_ADD, listener_.get(), EPOLLIN);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 512> events{};
    for (;;) {
      const auto count = ::epoll_wait(poll_.get(), events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) serve(events[static_cast<std::size_t>(i)]);
    }
  }

 private:
  void watch(int what, int socket, std::uint32_t events) {
    epoll_event event{.events = events, .data = {.fd = socket}};
    ::epoll_ctl(poll_.get(), what, socket, &event);
  }

  void accept() {
    for (int i = 0; i < kAccepts; ++i) {
      Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!socket) return;
      without_delay(socket.get());
      const int number = socket.get();
      visitors_.emplace(number, std::move(socket));
      watch(EPOLL_CTL_ADD, number, EPOLLIN);
    }
  }

  void serve(const epoll_event& event) {
    if (event.data.fd == listener_.get()) return accept();
    const auto found = visitors_.find(event.data.fd);
    if (found == visitors_.end()) return;
    auto& visitor = found->second;
    const bool wrote = visitor.wants_to_write();
    bool goes_on = (event.events & ~std::uint32_t{EPOLLOUT}) == 0 || visitor.on_readable(scratch_);
    if (goes_on && (event.events & EPOLLOUT) != 0) goes_on = visitor.on_writable(noise_);
    if (!goes_on) {
      visitors_.erase(found);
    } else if (visitor.wants_to_write() != wrote) {
      watch(EPOLL_CTL_MOD, visitor.socket(), EPOLLIN | (wrote ? 0u : std::uint32_t{EPOLLOUT}));
    }
  }

  Fd listener_;
  Fd poll_{::epoll_create1(EPOLL_CLOEXEC)};
  std::vector<std::byte> scratch_;
  std::vector<std::byte> noise_;
  std::unordered_map<int, Visitor> visitors_;
};

}  // namespace

Result<void> run_target(const sockaddr_in& address, unsigned threads) {
  std::vector<std::unique_ptr<Server>> servers;
  for (unsigned i = 0; i < threads; ++i) {
    SP_TRY(auto listener, listen_at(address));
    ::fcntl(listener.get(), F_SETFL, O_NONBLOCK);
    servers.push_back(std::make_unique<Server>(std::move(listener)));
  }
  std::vector<std::jthread> running;
  running.reserve(servers.size());
  for (auto& server : servers) running.emplace_back([&server] { server->run(); });
  return {};  // not before the threads end, and they do not
}

}  // namespace sallyport::bench
