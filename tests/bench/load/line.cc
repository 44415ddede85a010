#include "tests/bench/load/line.h"

#include "tests/bench/load/sockets.h"

#include <sys/prctl.h>
#include <sys/socket.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace sallyport::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kChunk = 256u << 10;
constexpr std::size_t kMostOnTheWay = 64u << 20;
constexpr std::chrono::seconds kForever{24 * 3'600};

// Bytes of one direction with the time at which each may arrive.
class Way {
 public:
  void put(std::vector<std::byte> bytes, Clock::time_point due) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return held_ < kMostOnTheWay || over_; });
    if (over_) return;
    held_ += bytes.size();
    chunks_.push_back({std::move(bytes), due});
    changed_.notify_all();
  }
  // Empty when the direction has ended and everything was taken.
  std::vector<std::byte> take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !chunks_.empty() || over_; });
    if (chunks_.empty()) return {};
    auto chunk = std::move(chunks_.front());
    chunks_.pop_front();
    held_ -= chunk.bytes.size();
    changed_.notify_all();
    lock.unlock();
    std::this_thread::sleep_until(chunk.due);
    return std::move(chunk.bytes);
  }
  void end() {
    const std::lock_guard lock(mutex_);
    over_ = true;
    changed_.notify_all();
  }

 private:
  struct Chunk {
    std::vector<std::byte> bytes;
    Clock::time_point due;
  };
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Chunk> chunks_;
  std::size_t held_ = 0;
  bool over_ = false;
};

void carry(int from, int to, Clock::duration delay) {
  ::prctl(PR_SET_TIMERSLACK, 1);
  Way way;
  std::jthread reader([&way, from, delay] {
    std::vector<std::byte> buffer(kChunk);
    for (;;) {
      const auto got = ::recv(from, buffer.data(), buffer.size(), 0);
      if (got <= 0) return way.end();
      way.put({buffer.begin(), buffer.begin() + got}, Clock::now() + delay);
    }
  });
  for (auto bytes = way.take(); !bytes.empty() && send_all(to, bytes); bytes = way.take()) {
  }
  way.end();
  ::shutdown(from, SHUT_RD);
  ::shutdown(to, SHUT_WR);
}

void pass_on(const Fd& near, const sockaddr_in& to, Clock::duration delay) {
  const auto far = connect_to(to, kForever);
  if (!far) return;
  without_delay(near.get());
  const std::jthread back([&near, &far, delay] { carry(far->get(), near.get(), delay); });
  carry(near.get(), far->get(), delay);
}

}  // namespace

Result<void> run_line(const sockaddr_in& listen, const sockaddr_in& to, std::chrono::duration<double> round_trip) {
  SP_TRY(const auto listener, listen_at(listen));
  const auto delay = std::chrono::duration_cast<Clock::duration>(round_trip / 2);
  std::vector<std::jthread> connections;
  for (;;) {
    const int accepted = ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (accepted < 0) continue;
    connections.emplace_back([accepted, &to, delay] { pass_on(Fd(accepted), to, delay); });
  }
}

}  // namespace sallyport::bench
