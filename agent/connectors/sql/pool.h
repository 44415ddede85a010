#pragma once

#include "agent/connectors/site.h"
#include "agent/connectors/sql/database.h"

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace sallyport::connectors::sql {

// At most `size` connections to one database, whose name in connections.yaml is all that its errors tell. Used by
// worker threads, hence the mutex; nothing blocking runs under it.
class Pool {
 public:
  Pool(std::string name, std::unique_ptr<Database> database, std::uint32_t size, const Log& log)
      : name_(std::move(name)), database_(std::move(database)), size_(size), log_(log) {}

  // One connection for one step; goes back when this dies, or is closed if it is no longer usable.
  class Lease {
   public:
    Lease(Pool& pool, std::unique_ptr<Connection> connection, bool reused, std::uint64_t credentials)
        : pool_(&pool), connection_(std::move(connection)), reused_(reused), credentials_(credentials) {}
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    Connection* operator->() const { return connection_.get(); }
    Connection& operator*() const { return *connection_; }

   private:
    friend class Pool;
    Pool* pool_;
    std::unique_ptr<Connection> connection_;
    bool reused_;
    std::uint64_t credentials_;  // with which it was opened
  };

  // A connection with an open transaction. Waits for a free place until the deadline (class "timeout"). A pooled
  // connection that turns out to be dead is replaced by a new one, once: nothing has happened on it yet.
  StepResult<Lease> begin(Access access, const CallLimits& limits);
  policy::SqlDialect dialect() const { return database_->dialect(); }

 private:
  StepResult<Lease> acquire(const CallLimits& limits);
  StepResult<Lease> open_new(const CallLimits& limits);
  void give_back(std::unique_ptr<Connection> connection, std::uint64_t credentials);
  using Idle = std::vector<std::unique_ptr<Connection>>;
  Idle take_outdated();  // to be closed outside of the mutex
  void free_place();

  std::string name_;
  std::unique_ptr<Database> database_;
  std::uint32_t size_;
  const Log& log_;
  std::mutex mutex_;
  std::condition_variable_any freed_;
  Idle idle_;                      // all opened with these:
  std::uint64_t credentials_ = 0;  // Database::credentials()
  std::uint32_t open_ = 0;         // idle and leased
};

// The pools of all connections of kind "sql". Built once; outlives the actions.
class Databases {
 public:
  explicit Databases(const Site& site);
  Pool* find(std::string_view connection) const;

 private:
  std::map<std::string, std::unique_ptr<Pool>, std::less<>> pools_;
};

}  // namespace sallyport::connectors::sql
