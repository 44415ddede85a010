#include "agent/connectors/smb/smb_actions.h"

#include "agent/connectors/remote/remote_actions.h"
#include "agent/connectors/remote/watch_trigger.h"
#include "agent/connectors/session_pool.h"
#include "agent/connectors/smb/server_files.h"

#include <map>
#include <string>

namespace sallyport::connectors::smb {
namespace {

using Pool = SessionPool<ServerFiles>;

class SmbSession final : public remote::Session {
 public:
  explicit SmbSession(Pool::Lease lease) : lease_(std::move(lease)) {}
  bool is_usable() const override { return lease_->is_usable(); }
  StepResult<remote::Files*> files(const CallLimits&) override { return &*lease_; }

 private:
  Pool::Lease lease_;
};

class SmbServers final : public remote::Servers {
 public:
  SmbServers(const Site& site, const std::string& program) {
    for (const auto& [name, connection] : site.connections) {
      if (const auto* settings = connection.smb()) pools_.emplace(name, make_pool(name, *settings, site, program));
    }
  }
  std::string_view kind() const override { return "smb"; }
  StepResult<std::unique_ptr<remote::Session>> open(std::string_view connection,
                                                    const CallLimits& limits) const override {
    for (auto& pool = *pools_.find(connection)->second;;) {
      SP_TRY(auto lease, pool.acquire(limits));
      if (!lease.is_reused() || lease->is_alive(limits)) return std::make_unique<SmbSession>(std::move(lease));
    }
  }

 private:
  static std::unique_ptr<Pool> make_pool(const std::string& name, const policy::SmbConnection& settings,
                                         const Site& site, const std::string& program) {
    const auto open = [&settings, &vault = site.vault,
                       program](const CallLimits& limits) -> StepResult<std::unique_ptr<ServerFiles>> {
      if (!program.empty()) return ServerFiles::open(settings, vault, program, limits);
      const auto found = find_helper();
      if (!found) return step_fail("connection", found.error().message);
      return ServerFiles::open(settings, vault, *found, limits);
    };
    const auto credentials = [&settings, &vault = site.vault] { return vault.version_of(settings.password); };
    return std::make_unique<Pool>(name, Pool::Source{open, credentials}, settings.pool, site.log);
  }

  std::map<std::string, std::unique_ptr<Pool>, std::less<>> pools_;
};

}  // namespace

ServersPtr make_servers(const Site& site, const std::string& program) {
  return std::make_shared<const SmbServers>(site, program);
}

std::vector<std::unique_ptr<Action>> make_actions_on(const ServersPtr& servers, const Site& site) {
  return remote::make_actions(site, servers, "smb");
}

std::unique_ptr<TriggerSource> make_watch(const ServersPtr& servers, const Site& site, boost::asio::thread_pool& pool) {
  constexpr std::size_t kMost = 10'000;
  return std::make_unique<remote::WatchTrigger>(site, servers, "smb.watch@1", kMost, pool);
}

Result<void> check_smb_client() {
  SP_TRY(const auto found, find_helper());
  (void)found;
  return {};
}

}  // namespace sallyport::connectors::smb
