#include "agent/connectors/remote/access.h"

#include "agent/connectors/paths.h"
#include "agent/connectors/translate.h"

#include <condition_variable>
#include <mutex>

namespace sallyport::connectors::remote {
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
  SP_CHECK(find_connection(site, context.connection, servers.kind()));
  Access access(site, servers, context);
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

StepResult<Files*> Access::files() {
  if (session_ && !session_->is_usable()) session_.reset();
  if (!session_) {
    SP_TRY(session_, servers_.open(context_.connection, limits()));
  }
  return session_->files(limits());
}

StepResult<void> Resumption::after(StepError error, std::uint64_t at) {
  if (error.error_class() != "connection" || at == 0) return std::unexpected(std::move(error));
  in_vain_ = at > last_ ? 0 : in_vain_ + 1;
  last_ = at;
  if (in_vain_ >= kMostInVain) return std::unexpected(std::move(error));
  pause(kPause * in_vain_, access_.limits());
  return access_.check_going_on();
}

}  // namespace sallyport::connectors::remote
