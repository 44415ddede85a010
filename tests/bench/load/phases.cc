#include "tests/bench/load/phases.h"

#include "tests/bench/load/awake.h"
#include "tests/bench/load/noise.h"
#include "tests/bench/load/quantile.h"
#include "tests/bench/load/sockets.h"
#include "tests/bench/load/target.h"
#include "tests/bench/load/usage.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <thread>

namespace sallyport::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr std::chrono::seconds kPatience{10};
constexpr std::chrono::milliseconds kPollTime{200};
constexpr std::size_t kChunk = 256u << 10;
constexpr std::size_t kSmall = 64;
constexpr int kSendsATurn = 4;
constexpr unsigned kMostFailures = 20;  // of one connection's loop, then it gives up
constexpr Seconds kWarmUp{0.2};

double since(Clock::time_point began) { return Seconds(Clock::now() - began).count(); }

// A connection that has told the target its wish; nothing when that failed.
Fd visit(const Entrance& entrance, Wish wish) {
  auto socket = connect_to(entrance.address, kPatience);
  const auto byte = static_cast<std::byte>(wish);
  if (!socket || !send_all(socket->get(), {&byte, 1})) return {};
  return *std::move(socket);
}

class Flood {
 public:
  Flood(const Entrance& entrance, Direction direction, unsigned connections) {
    for (unsigned i = 0; i < connections; ++i) {
      threads_.emplace_back([this, &entrance, direction](const std::stop_token& stop) {
        auto socket = visit(entrance, direction == Direction::up ? Wish::consume : Wish::produce);
        const bool good =
            socket && (direction == Direction::up ? send(stop, socket.get()) : receive(stop, socket.get()));
        if (!good) ++failures_;
        if (socket) reset_when_closed(socket.get());
      });
    }
  }
  double bytes() const { return static_cast<double>(bytes_.load()); }
  unsigned end() {
    for (auto& thread : threads_) thread.request_stop();
    threads_.clear();
    return failures_;
  }

 private:
  bool receive(const std::stop_token& stop, int socket) {
    std::vector<std::byte> buffer(kChunk);
    while (!stop.stop_requested()) {
      const auto got = ::recv(socket, buffer.data(), buffer.size(), 0);
      if (got <= 0) return false;
      bytes_ += static_cast<std::uint64_t>(got);
    }
    return true;
  }

  bool send(const std::stop_token& stop, int socket) {
    std::vector<std::byte> noise(kChunk);
    fill_noise(noise, 1);
    ::fcntl(socket, F_SETFL, O_NONBLOCK);
    std::uint64_t told = 0;
    while (!stop.stop_requested()) {
      pollfd ready{.fd = socket, .events = POLLIN | POLLOUT, .revents = 0};
      ::poll(&ready, 1, static_cast<int>(kPollTime.count()));
      if ((ready.revents & (POLLERR | POLLHUP)) != 0) return false;
      if ((ready.revents & POLLIN) != 0 && !read_counts(socket, told)) return false;
      for (int i = 0; (ready.revents & POLLOUT) != 0 && i < kSendsATurn; ++i) {
        if (::send(socket, noise.data(), noise.size(), MSG_NOSIGNAL) < 0) break;
      }
    }
    return true;
  }

  // The target's counts are 8 bytes each and sent one at a time; they are small enough not to be torn in practice, and
  // read whole here because the rest is waited for.
  bool read_counts(int socket, std::uint64_t& told) {
    std::array<std::uint64_t, 512> counts{};
    const auto got = ::recv(socket, counts.data(), sizeof(counts), MSG_PEEK);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    const auto whole = static_cast<std::size_t>(got) / sizeof(std::uint64_t);
    if (whole == 0) return true;
    static_cast<void>(::recv(socket, counts.data(), whole * sizeof(std::uint64_t), 0));
    bytes_ += counts[whole - 1] - told;
    told = counts[whole - 1];
    return true;
  }

  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<unsigned> failures_{0};
  std::vector<std::jthread> threads_;  // last: they use the others
};

// One thread for each connection; what each returns, together.
std::vector<double> side_by_side(unsigned connections, const std::function<std::vector<double>()>& work) {
  std::vector<std::vector<double>> results(connections);
  {
    std::vector<std::jthread> threads;
    threads.reserve(results.size());
    for (auto& result : results) threads.emplace_back([&result, &work] { result = work(); });
  }
  std::vector<double> all;
  for (const auto& result : results) all.insert(all.end(), result.begin(), result.end());
  return all;
}

// Times of round trips, in microseconds; false when one failed.
bool ping(int socket, Seconds length, std::vector<double>& times) {
  std::array<std::byte, kSmall> message{};
  const auto began = Clock::now();
  for (auto sent = began; sent - began < length; sent = Clock::now()) {
    if (!send_all(socket, message) || !receive_all(socket, message)) return false;
    times.push_back(since(sent) * 1e6);
  }
  return true;
}

void note(Figures& figures, const Phase& phase, std::vector<double> times, double seconds) {
  figures[phase.name + "_per_s"] = static_cast<double>(times.size()) / seconds;
  figures[phase.name + "_p50"] = quantile(times, 0.5);
  figures[phase.name + "_p99"] = quantile(times, 0.99);
}

bool ask_once(const Entrance& entrance) {
  const auto socket = visit(entrance, Wish::answer);
  std::byte answer{};
  return socket && receive_all(socket.get(), {&answer, 1});
}

}  // namespace

void move_bulk(Figures& figures, const Entrance& entrance, const Phase& phase, Direction direction) {
  Flood flood(entrance, direction, phase.connections);
  std::this_thread::sleep_for(std::max(kWarmUp, phase.length / 4));
  const auto began = Clock::now();
  const double bytes = flood.bytes();
  const double cpu = cpu_seconds(entrance.tunnel);
  const double own = own_cpu_seconds();
  std::this_thread::sleep_for(phase.length);
  figures[phase.name + "_cpu_s"] = cpu_seconds(entrance.tunnel) - cpu;
  figures[phase.name + "_load_cpu_s"] = own_cpu_seconds() - own;
  figures[phase.name + "_bytes"] = flood.bytes() - bytes;
  figures[phase.name + "_seconds"] = since(began);
  figures["failures"] += flood.end();
}

void ask_small(Figures& figures, const Entrance& entrance, const Phase& phase, Company company) {
  std::atomic<unsigned> failures{0};
  const Awake awake(company == Company::alone && phase.connections == 1 ? Awake::Hands::all : Awake::Hands::none);
  Flood flood(entrance, Direction::down, company == Company::bulk ? 1 : 0);
  if (company == Company::bulk) std::this_thread::sleep_for(std::max(kWarmUp, phase.length / 4));
  const double bytes = flood.bytes();
  auto times = side_by_side(phase.connections, [&] {
    std::vector<double> warm;
    std::vector<double> own;
    const auto socket = visit(entrance, Wish::echo);
    if (!socket || !ping(socket.get(), kWarmUp, warm) || !ping(socket.get(), phase.length, own)) ++failures;
    return own;
  });
  if (company == Company::bulk) figures[phase.name + "_bulk_bytes"] = flood.bytes() - bytes;
  note(figures, phase, std::move(times), phase.length.count());
  figures["failures"] += failures + flood.end();
}

void connect_often(Figures& figures, const Entrance& entrance, const Phase& phase) {
  std::atomic<unsigned> failures{0};
  const Awake awake(phase.connections == 1 ? Awake::Hands::all : Awake::Hands::none);
  const double cpu = cpu_seconds(entrance.tunnel);
  const auto began = Clock::now();
  auto times = side_by_side(phase.connections, [&] {
    std::vector<double> own;
    unsigned failed = 0;
    for (auto start = Clock::now(); start - began < phase.length && failed < kMostFailures; start = Clock::now()) {
      if (ask_once(entrance)) {
        own.push_back(since(start) * 1e6);
      } else {
        ++failed;
      }
    }
    failures += failed;
    return own;
  });
  const double seconds = since(began);
  const auto count = static_cast<double>(times.size());
  figures[phase.name + "_cpu_us"] = count > 0 ? (cpu_seconds(entrance.tunnel) - cpu) * 1e6 / count : 0;
  note(figures, phase, std::move(times), seconds);
  figures["failures"] += failures;
}

Result<void> hold_open(const Entrance& entrance, unsigned count) {
  std::vector<Fd> held;
  for (unsigned i = 0; i < count; ++i) {
    auto socket = visit(entrance, Wish::echo);
    std::byte byte{'x'};
    if (!socket || !send_all(socket.get(), {&byte, 1}) || !receive_all(socket.get(), {&byte, 1})) continue;
    held.push_back(std::move(socket));
  }
  fmt::print("held {} of {}\n", held.size(), count);
  std::fflush(stdout);
  while (std::fgetc(stdin) != EOF) {
  }
  return {};
}

}  // namespace sallyport::bench
