#include "agent/connectors/sql/pool.h"

#include <utility>

namespace sallyport::connectors::sql {

Pool::Lease::~Lease() {
  if (!connection_) return;
  connection_->rollback();
  if (connection_->is_usable()) {
    pool_->give_back(std::move(connection_), credentials_);
  } else {
    connection_.reset();
    pool_->free_place();
  }
}

void Pool::give_back(std::unique_ptr<Connection> connection, std::uint64_t credentials) {
  {
    const std::lock_guard lock(mutex_);
    if (credentials == credentials_) {
      idle_.push_back(std::move(connection));
    } else {
      --open_;
    }
  }
  freed_.notify_one();
  connection.reset();
}

Pool::Idle Pool::take_outdated() {
  const auto now = database_->credentials();
  if (now == credentials_) return {};
  credentials_ = now;
  open_ -= static_cast<std::uint32_t>(idle_.size());
  return std::exchange(idle_, {});
}

void Pool::free_place() {
  {
    const std::lock_guard lock(mutex_);
    --open_;
  }
  freed_.notify_one();
}

StepResult<Pool::Lease> Pool::acquire(const CallLimits& limits) {
  std::unique_lock lock(mutex_);
  const bool free =
      freed_.wait_until(lock, limits.stop, limits.deadline, [this] { return !idle_.empty() || open_ < size_; });
  if (!free && limits.stop.stop_requested()) return step_fail("cancelled", "stopped");
  if (!free)
    return step_fail(
        "timeout",
        "every connection to the database stayed in use until the deadline; `pool` in connections.yaml allows more");
  const auto outdated = take_outdated();
  if (idle_.empty()) {
    ++open_;
    lock.unlock();
    return open_new(limits);
  }
  auto connection = std::move(idle_.back());
  idle_.pop_back();
  const auto credentials = credentials_;
  lock.unlock();
  if (connection->is_usable()) return Lease(*this, std::move(connection), true, credentials);
  connection.reset();
  return open_new(limits);
}

// The caller has counted the place already.
StepResult<Pool::Lease> Pool::open_new(const CallLimits& limits) {
  const auto credentials = database_->credentials();  // before: what changes meanwhile makes it outdated
  auto connection = database_->connect(limits);
  if (!connection) {
    free_place();
    return std::unexpected(without_settings(log_, name_, "connecting to", std::move(connection).error()));
  }
  return Lease(*this, *std::move(connection), false, credentials);
}

StepResult<Pool::Lease> Pool::begin(Access access, const CallLimits& limits) {
  SP_TRY(auto lease, acquire(limits));
  auto begun = lease->begin(access, limits);
  if (begun) return lease;
  if (!lease.reused_ || begun.error().classes.back() != "connection") return std::unexpected(std::move(begun).error());
  lease.connection_.reset();
  SP_TRY(auto fresh, open_new(limits));
  SP_CHECK(fresh->begin(access, limits));
  return fresh;
}

Databases::Databases(const Site& site) {
  for (const auto& [name, connection] : site.connections) {
    const auto* sql = connection.sql();
    if (sql == nullptr) continue;
    auto database = make_database(*sql, site.policy.sql_verbs(name), site.vault);
    pools_.emplace(name, std::make_unique<Pool>(name, std::move(database), sql->pool, site.log));
  }
}

Pool* Databases::find(std::string_view connection) const {
  const auto it = pools_.find(connection);
  return it == pools_.end() ? nullptr : it->second.get();
}

}  // namespace sallyport::connectors::sql
