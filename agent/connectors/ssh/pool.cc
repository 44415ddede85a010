#include "agent/connectors/ssh/pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace sallyport::connectors::ssh {
namespace {

// Servers and what stands between forget sessions that are quiet for longer.
constexpr std::chrono::seconds kLongestIdle(30);

// What is told of a server that could not be reached; who it should have been is for the operator.
StepError without_server(const Log& log, const std::string& name, StepError error) {
  const bool is_unknown = error.error_class() == "host_key:unknown";
  auto told = without_settings(log, name, "connecting to", std::move(error));
  if (is_unknown)
    told.message = fmt::format(
        "connecting to {}: the server does not show a host key that is pinned for it, which may "
        "be an attack; the agent's log says which one it shows",
        name);
  return told;
}

}  // namespace

Pool::Lease& Pool::Lease::operator=(Lease&& other) noexcept {
  end();
  pool_ = other.pool_;
  session_ = std::move(other.session_);
  credentials_ = other.credentials_;
  return *this;
}

void Pool::Lease::end() {
  if (!session_) return;
  if (session_->is_usable()) {
    pool_->give_back(std::move(session_), credentials_);
  } else {
    session_.reset();
    pool_->free_place();
  }
}

std::uint64_t Pool::credentials() const {
  return vault_.version_of(settings_.key) + vault_.version_of(settings_.key_passphrase) +
         vault_.version_of(settings_.password);
}

void Pool::give_back(std::unique_ptr<Session> session, std::uint64_t credentials) {
  {
    const std::lock_guard lock(mutex_);
    idle_.push_back({std::move(session), credentials, std::chrono::steady_clock::now()});
    --in_use_;
  }
  freed_.notify_one();
}

void Pool::free_place() {
  {
    const std::lock_guard lock(mutex_);
    --in_use_;
  }
  freed_.notify_one();
}

std::unique_ptr<Session> Pool::take_idle(std::uint64_t credentials, std::vector<Idle>& outdated) {
  const auto oldest = std::chrono::steady_clock::now() - kLongestIdle;
  while (!idle_.empty()) {
    auto last = std::move(idle_.back());
    idle_.pop_back();
    if (last.credentials == credentials && last.since > oldest && last.session->is_usable())
      return std::move(last.session);
    outdated.push_back(std::move(last));
  }
  return nullptr;
}

StepResult<Pool::Lease> Pool::acquire(const CallLimits& limits) {
  std::vector<Idle> outdated;  // closed outside of the mutex
  std::unique_lock lock(mutex_);
  const bool free = freed_.wait_until(lock, limits.stop, limits.deadline, [this] { return in_use_ < settings_.pool; });
  if (!free && limits.stop.stop_requested()) return step_fail("cancelled", "stopped");
  if (!free)
    return step_fail("timeout", fmt::format("every session with {} stayed in use until the deadline; `pool` in "
                                            "connections.yaml allows more",
                                            name_));
  const auto now_valid = credentials();
  auto session = take_idle(now_valid, outdated);
  ++in_use_;
  lock.unlock();
  if (session) return Lease(*this, std::move(session), now_valid);
  return open_new(limits);
}

// The caller has counted the place already.
StepResult<Pool::Lease> Pool::open_new(const CallLimits& limits) {
  const auto opened_with = credentials();  // before: what changes meanwhile makes it outdated
  auto session = Session::open(settings_, vault_, limits);
  if (session) return Lease(*this, *std::move(session), opened_with);
  free_place();
  return std::unexpected(without_server(log_, name_, std::move(session).error()));
}

Servers::Servers(const Site& site) {
  for (const auto& [name, connection] : site.connections) {
    if (const auto* ssh = connection.ssh()) pools_.emplace(name, std::make_unique<Pool>(name, *ssh, site));
  }
}

StepResult<Pool*> Servers::find(const Site& site, std::string_view connection) const {
  SP_CHECK(find_connection(site, connection, "ssh"));
  return &pool(connection);
}

}  // namespace sallyport::connectors::ssh
