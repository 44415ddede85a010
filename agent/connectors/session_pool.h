#pragma once

#include "agent/connectors/call_limits.h"
#include "agent/connectors/site.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace sallyport::connectors {

// At most `size` sessions with one system, whose name in connections.yaml is all that its errors tell; those that steps
// are done with wait a minute for the next, and longer only while nobody takes or gives back another one.
// Session::is_usable() says whether it may be used again. Used by worker threads, hence the mutex; nothing blocking
// runs under it.
template <class Session>
class SessionPool {
 public:
  struct Source {
    std::function<StepResult<std::unique_ptr<Session>>(const CallLimits&)> open;
    std::function<std::uint64_t()> credentials;  // another number: sessions from before are not to be used again
  };
  SessionPool(std::string name, Source source, std::uint32_t size, const Log& log)
      : name_(std::move(name)), source_(std::move(source)), size_(size), log_(log) {}

  // One session for one step; goes back when this dies, or is closed if it is no longer usable.
  class Lease {
   public:
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (session_) pool_->give_back(std::move(session_), credentials_);
    }
    explicit operator bool() const { return session_ != nullptr; }  // false: moved from
    Session* operator->() const { return session_.get(); }
    Session& operator*() const { return *session_; }
    bool is_reused() const { return reused_; }

   private:
    friend class SessionPool;
    Lease(SessionPool& pool, std::unique_ptr<Session> session, bool reused, std::uint64_t credentials)
        : pool_(&pool), session_(std::move(session)), reused_(reused), credentials_(credentials) {}
    SessionPool* pool_;
    std::unique_ptr<Session> session_;
    bool reused_;
    std::uint64_t credentials_;  // with which it was opened
  };

  // Waits for a free place until the deadline (class "timeout").
  StepResult<Lease> acquire(const CallLimits& limits) {
    std::unique_lock lock(mutex_);
    const bool free =
        freed_.wait_until(lock, limits.stop, limits.deadline, [this] { return !idle_.empty() || open_ < size_; });
    if (!free && limits.stop.stop_requested()) return step_fail("cancelled", "stopped");
    if (!free)
      return step_fail("timeout",
                       "every connection to it stayed in use until the deadline; `pool` in "
                       "connections.yaml allows more");
    const auto outdated = take_outdated();  // closed after the mutex is free
    std::unique_ptr<Session> session;
    if (!idle_.empty()) {
      session = std::move(idle_.back().session);
      idle_.pop_back();
    } else {
      ++open_;
    }
    const auto credentials = credentials_;
    lock.unlock();
    if (session && session->is_usable()) return Lease(*this, std::move(session), true, credentials);
    session.reset();
    return open_new(limits);
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Idle {
    std::unique_ptr<Session> session;
    SteadyTime since;
  };
  static constexpr auto kLongestIdle = std::chrono::minutes(1);

  StepResult<Lease> open_new(const CallLimits& limits) {
    const auto credentials = source_.credentials();  // before: what changes meanwhile makes it outdated
    auto session = source_.open(limits);
    if (session) return Lease(*this, *std::move(session), false, credentials);
    free_place();
    return std::unexpected(without_settings(log_, name_, "connecting to", std::move(session).error()));
  }

  void give_back(std::unique_ptr<Session> session, std::uint64_t credentials) {
    if (!session->is_usable()) {
      session.reset();
      return free_place();
    }
    std::vector<Idle> outdated;  // closed after the mutex is free
    {
      const std::lock_guard lock(mutex_);
      outdated = take_outdated();
      if (credentials == credentials_) {
        idle_.push_back({std::move(session), Clock::now()});
      } else {
        --open_;
      }
    }
    freed_.notify_one();
  }

  void free_place() {
    {
      const std::lock_guard lock(mutex_);
      --open_;
    }
    freed_.notify_one();
  }

  // What may not be used again: all when the credentials changed, else what has waited for too long.
  std::vector<Idle> take_outdated() {
    const auto now = source_.credentials();
    const bool changed = std::exchange(credentials_, now) != now;
    std::vector<Idle> outdated, kept;
    for (auto& one : idle_)
      (changed || Clock::now() - one.since > kLongestIdle ? outdated : kept).push_back(std::move(one));
    idle_ = std::move(kept);
    open_ -= static_cast<std::uint32_t>(outdated.size());
    return outdated;
  }

  std::string name_;
  Source source_;
  std::uint32_t size_;
  const Log& log_;
  std::mutex mutex_;
  std::condition_variable_any freed_;
  std::vector<Idle> idle_;         // all opened with these:
  std::uint64_t credentials_ = 0;  // Source::credentials()
  std::uint32_t open_ = 0;         // idle and leased
};

}  // namespace sallyport::connectors
