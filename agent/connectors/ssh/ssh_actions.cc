#include "agent/connectors/ssh/ssh_actions.h"

#include "agent/connectors/remote/remote_actions.h"
#include "agent/connectors/remote/watch_trigger.h"
#include "agent/connectors/ssh/sftp.h"
#include "agent/connectors/ssh/ssh_actions_parts.h"

namespace sallyport::connectors::ssh {
namespace {

class SftpSession final : public remote::Session {
 public:
  explicit SftpSession(Pool::Lease lease) : lease_(std::move(lease)) {}
  bool is_usable() const override { return !lease_->is_broken(); }
  StepResult<remote::Files*> files(const CallLimits& limits) override { return lease_->sftp(limits); }

 private:
  Pool::Lease lease_;
};

class SftpServers final : public remote::Servers {
 public:
  explicit SftpServers(ServersPtr servers) : servers_(std::move(servers)) {}
  std::string_view kind() const override { return "ssh"; }
  StepResult<std::unique_ptr<remote::Session>> open(std::string_view connection,
                                                    const CallLimits& limits) const override {
    SP_TRY(auto lease, servers_->pool(connection).acquire(limits));
    return std::make_unique<SftpSession>(std::move(lease));
  }

 private:
  ServersPtr servers_;
};

}  // namespace

ServersPtr make_servers(const Site& site) { return std::make_shared<const Servers>(site); }

std::vector<std::unique_ptr<Action>> make_actions_on(const ServersPtr& servers, const Site& site) {
  auto actions = remote::make_actions(site, std::make_shared<const SftpServers>(servers), "sftp");
  actions.push_back(make_run(site, servers));
  return actions;
}

std::vector<std::unique_ptr<Action>> make_actions(Site site) { return make_actions_on(make_servers(site), site); }

std::unique_ptr<TriggerSource> make_watch(const ServersPtr& servers, const Site& site, boost::asio::thread_pool& pool) {
  constexpr std::size_t kMost = 10'000;
  return std::make_unique<remote::WatchTrigger>(site, std::make_shared<const SftpServers>(servers), "sftp.watch@1",
                                                kMost, pool);
}

}  // namespace sallyport::connectors::ssh
