#pragma once

#include "agent/connectors/arguments.h"
#include "agent/connectors/site.h"
#include "agent/connectors/ssh/pool.h"
#include "agent/connectors/ssh/sftp.h"

#include <memory>
#include <string>
#include <string_view>

namespace sallyport::connectors::ssh {

// One SFTP action's view of its server: cleaned and allowed paths, a session, limits.
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
  StepResult<Sftp*> files();
  CallLimits limits() const { return {context_.deadline, context_.stop}; }
  const StepContext& context() const { return context_; }

 private:
  Access(const Site& site, const StepContext& context, Pool& pool) : site_(site), context_(context), pool_(pool) {}

  const Site& site_;
  const StepContext& context_;
  Pool& pool_;
  std::optional<Pool::Lease> lease_;
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

}  // namespace sallyport::connectors::ssh
