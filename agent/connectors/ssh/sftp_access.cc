#include "agent/connectors/ssh/sftp_access.h"

#include "agent/connectors/paths.h"
#include "agent/connectors/translate.h"

#include <condition_variable>
#include <mutex>

namespace sallyport::connectors::ssh {
namespace {

constexpr int kMostInVain = 5;
constexpr std::chrono::milliseconds kPause(100);  // times how many were in vain

void pause(std::chrono::milliseconds pause, const CallLimits& limits) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  const auto until = std::min<SteadyTime>(limits.deadline, std::chrono::steady_clock::now() + pause);
  never.wait_until(lock, limits.stop, until, [] { return false; });
}

}  // namespace

StepResult<Access> Access::open(const Site& site, const Servers& servers, const StepContext& context,
                                std::string_view action) {
  SP_CHECK(check_allowed(site, context, action));
  SP_TRY(auto* const pool, servers.find(site, context.connection));
  Access access(site, context, *pool);
  SP_CHECK(access.check_going_on());
  return access;
}

StepResult<std::string> Access::clean(std::string_view path) const {
  return path_below_root(context_.connection, path);
}

StepResult<std::string> Access::allowed(policy::FileVerb verb, std::string_view path) const {
  SP_TRY(auto cleaned, clean(path));
  SP_CHECK(to_step(site_.policy.check_file(context_.connection, verb, cleaned)));
  return cleaned;
}

StepResult<void> Access::check_size(std::uint64_t bytes) const {
  return connectors::check_size(site_, context_.connection, bytes);
}

StepResult<Sftp*> Access::files() {
  if (lease_ && (*lease_)->is_broken()) lease_.reset();
  if (!lease_) {
    SP_TRY(auto lease, pool_.acquire(limits()));
    lease_.emplace(std::move(lease));
  }
  return (*lease_)->sftp(limits());
}

StepResult<void> Resumption::after(StepError error, std::uint64_t at) {
  if (error.error_class() != "connection" || at == 0) return std::unexpected(std::move(error));
  in_vain_ = at > last_ ? 0 : in_vain_ + 1;
  last_ = at;
  if (in_vain_ >= kMostInVain) return std::unexpected(std::move(error));
  pause(kPause * in_vain_, access_.limits());
  return access_.check_going_on();
}

}  // namespace sallyport::connectors::ssh
