#pragma once

#include "agent/connectors/session_pool.h"
#include "agent/connectors/site.h"
#include "agent/connectors/sql/database.h"

#include <map>
#include <memory>
#include <string>
#include <utility>

namespace sallyport::connectors::sql {

// The sessions with one database.
class Pool {
 public:
  Pool(std::string name, std::unique_ptr<Database> database, std::uint32_t size, const Log& log)
      : database_(std::move(database)),
        sessions_(std::move(name),
                  {[this](const CallLimits& limits) { return database_->connect(limits); },
                   [this] { return database_->credentials(); }},
                  size, log) {}
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // One session for one step. What was not committed when this dies is rolled back.
  class Lease {
   public:
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (session_) session_->rollback();
    }
    Connection* operator->() const { return &*session_; }
    Connection& operator*() const { return *session_; }

   private:
    friend class Pool;
    using Session = SessionPool<Connection>::Lease;
    explicit Lease(Session session) : session_(std::move(session)) {}
    Session session_;
  };

  // A session with an open transaction. Waits for a free place until the deadline (class "timeout"). A session that
  // turns out to be dead is replaced by another one: nothing has happened on it yet.
  StepResult<Lease> begin(Access access, const CallLimits& limits);
  policy::SqlDialect dialect() const { return database_->dialect(); }
  policy::SqlDialect ledger_dialect() const { return database_->ledger_dialect(); }

 private:
  std::unique_ptr<Database> database_;
  SessionPool<Connection> sessions_;
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
