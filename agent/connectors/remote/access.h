#pragma once

#include "agent/connectors/arguments.h"
#include "agent/connectors/remote/files.h"
#include "agent/connectors/site.h"

#include <memory>
#include <string>
#include <string_view>

namespace sallyport::connectors::remote {

// A session with one server, for one step; given back when it dies.
class Session {
 public:
  virtual ~Session() = default;
  virtual bool is_usable() const = 0;  // false once its connection broke
  virtual StepResult<Files*> files(const CallLimits& limits) = 0;
};

// The servers of all connections of one kind. Outlives the actions; used by worker threads.
class Servers {
 public:
  virtual ~Servers() = default;
  virtual std::string_view kind() const = 0;  // as in connections.yaml
  // `connection` is one of that kind. Errors name no setting.
  virtual StepResult<std::unique_ptr<Session>> open(std::string_view connection, const CallLimits& limits) const = 0;
};

// One action's view of its server: cleaned and allowed paths, a session, limits.
class Access {
 public:
  // Asks the local policy; nothing is connected yet.
  static StepResult<Access> open(const Site& site, const Servers& servers, const StepContext& context,
                                 std::string_view action);

  StepResult<std::string> clean(std::string_view path) const;
  StepResult<std::string> allowed(policy::FileVerb verb, std::string_view path) const;  // clean, or class "policy"
  StepResult<void> check_going_on() const { return connectors::check_going_on(site_, context_); }
  StepResult<void> check_size(std::uint64_t bytes) const;

  // The server's files, by a session that this keeps for the step; one that broke is replaced by another.
  StepResult<Files*> files();
  CallLimits limits() const { return {context_.deadline, context_.stop}; }
  const StepContext& context() const { return context_; }
  const policy::Policy& policy() const { return site_.policy; }

 private:
  Access(const Site& site, const Servers& servers, const StepContext& context)
      : site_(site), servers_(servers), context_(context) {}

  const Site& site_;
  const Servers& servers_;
  const StepContext& context_;
  std::unique_ptr<Session> session_;
};

// After a connection broke in the middle of a body: whether to go on with another one. Waits a moment first, and gives
// up when several in a row brought nothing; where nothing was moved yet there is nothing to go on with.
class Resumption {
 public:
  explicit Resumption(const Access& access) : access_(access) {}
  // `at` is how far the body has come. Otherwise the error itself, or why the step has to end.
  StepResult<void> after(StepError error, std::uint64_t at);

 private:
  const Access& access_;
  std::uint64_t last_ = 0;
  int in_vain_ = 0;
};

}  // namespace sallyport::connectors::remote
