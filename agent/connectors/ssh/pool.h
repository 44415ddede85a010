#pragma once

#include "agent/connectors/site.h"
#include "agent/connectors/ssh/session.h"

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace sallyport::connectors::ssh {

// At most `pool` sessions with one server, whose name in connections.yaml is all that its errors tell. Those that are
// not in use are kept for a while, for the next step. Used by worker threads, hence the mutex; nothing blocking runs
// under it.
class Pool {
 public:
  Pool(std::string name, const policy::SshConnection& settings, const Site& site)
      : name_(std::move(name)), settings_(settings), vault_(site.vault), log_(site.log) {}

  // One session for one step; goes back when this dies, or is closed if it is no longer usable.
  class Lease {
   public:
    Lease(Pool& pool, std::unique_ptr<Session> session, std::uint64_t credentials)
        : pool_(&pool), session_(std::move(session)), credentials_(credentials) {}
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&& other) noexcept;
    ~Lease() { end(); }
    Session* operator->() const { return session_.get(); }
    Session& operator*() const { return *session_; }

   private:
    void end();
    Pool* pool_;
    std::unique_ptr<Session> session_;
    std::uint64_t credentials_;  // with which it was opened
  };

  // Waits for a free place until the deadline (class "timeout").
  StepResult<Lease> acquire(const CallLimits& limits);

  const policy::SshConnection& settings() const { return settings_; }
  const std::string& name() const { return name_; }

 private:
  struct Idle {
    std::unique_ptr<Session> session;
    std::uint64_t credentials;
    SteadyTime since;
  };
  StepResult<Lease> open_new(const CallLimits& limits);
  std::unique_ptr<Session> take_idle(std::uint64_t credentials, std::vector<Idle>& outdated);
  void give_back(std::unique_ptr<Session> session, std::uint64_t credentials);
  std::uint64_t credentials() const;
  void free_place();

  std::string name_;
  const policy::SshConnection& settings_;
  const vault::Vault& vault_;
  const Log& log_;
  std::mutex mutex_;
  std::condition_variable_any freed_;
  std::vector<Idle> idle_;
  std::uint32_t in_use_ = 0;
};

// The pools of all connections of kind "ssh". Built once; outlives the actions.
class Servers {
 public:
  explicit Servers(const Site& site);
  // Class "not_found" / "invalid" for a name that is no such connection.
  StepResult<Pool*> find(const Site& site, std::string_view connection) const;
  Pool& pool(std::string_view connection) const { return *pools_.find(connection)->second; }  // of a known one

 private:
  std::map<std::string, std::unique_ptr<Pool>, std::less<>> pools_;
};

}  // namespace sallyport::connectors::ssh
