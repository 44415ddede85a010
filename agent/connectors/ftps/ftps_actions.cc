#include "agent/connectors/ftps/ftps_actions.h"

#include "agent/connectors/ftps/server_files.h"
#include "agent/connectors/libcurl.h"
#include "agent/connectors/remote/remote_actions.h"
#include "agent/connectors/remote/watch_trigger.h"
#include "agent/connectors/session_pool.h"

#include <map>
#include <string>

namespace sallyport::connectors::ftps {
namespace {

using Pool = SessionPool<ServerFiles>;

class FtpsSession final : public remote::Session {
 public:
  explicit FtpsSession(Pool::Lease lease) : lease_(std::move(lease)) {}
  bool is_usable() const override { return lease_->is_usable(); }
  StepResult<remote::Files*> files(const CallLimits&) override { return &*lease_; }

 private:
  Pool::Lease lease_;
};

class FtpsServers final : public remote::Servers {
 public:
  explicit FtpsServers(const Site& site) {
    for (const auto& [name, connection] : site.connections) {
      if (const auto* settings = connection.ftps()) pools_.emplace(name, make_pool(name, *settings, site));
    }
  }
  std::string_view kind() const override { return "ftps"; }
  StepResult<std::unique_ptr<remote::Session>> open(std::string_view connection,
                                                    const CallLimits& limits) const override {
    SP_TRY(auto lease, pools_.find(connection)->second->acquire(limits));
    return std::make_unique<FtpsSession>(std::move(lease));
  }

 private:
  static std::unique_ptr<Pool> make_pool(const std::string& name, const policy::FtpsConnection& settings,
                                         const Site& site) {
    const auto open = [&settings,
                       &vault = site.vault](const CallLimits& limits) -> StepResult<std::unique_ptr<ServerFiles>> {
      if (auto loaded = load_libcurl(); !loaded) return step_fail("connection", std::move(loaded).error().message);
      return ServerFiles::open(settings, vault, limits);
    };
    const auto credentials = [&settings, &vault = site.vault] {
      return vault.version_of(settings.password) + vault.version_of(settings.client_key);
    };
    return std::make_unique<Pool>(name, Pool::Source{open, credentials}, settings.pool, site.log);
  }

  std::map<std::string, std::unique_ptr<Pool>, std::less<>> pools_;
};

}  // namespace

ServersPtr make_servers(const Site& site) { return std::make_shared<const FtpsServers>(site); }

std::vector<std::unique_ptr<Action>> make_actions_on(const ServersPtr& servers, const Site& site) {
  return remote::make_actions(site, servers, "ftps");
}

std::vector<std::unique_ptr<Action>> make_actions(Site site) { return make_actions_on(make_servers(site), site); }

std::unique_ptr<TriggerSource> make_watch(const ServersPtr& servers, const Site& site, boost::asio::thread_pool& pool) {
  constexpr std::size_t kMost = 1'000;
  return std::make_unique<remote::WatchTrigger>(site, servers, "ftps.watch@1", kMost, pool);
}

}  // namespace sallyport::connectors::ftps
