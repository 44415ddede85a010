#pragma once

#include "agent/connectors/connection_test.h"
#include "agent/connectors/connector.h"
#include "agent/connectors/remote/access.h"
#include "agent/connectors/site.h"
#include "agent/connectors/trigger.h"

#include <boost/asio/thread_pool.hpp>

#include <memory>
#include <string>
#include <vector>

namespace sallyport::connectors::smb {

using ServersPtr = std::shared_ptr<const remote::Servers>;

// The sessions with all servers, which actions and the watch share. `program` is the helper; empty: the one beside this
// program.
ServersPtr make_servers(const Site& site, const std::string& program = {});

// The actions of remote/remote_actions.h with the prefix "smb", on connections of kind "smb".
std::vector<std::unique_ptr<Action>> make_actions_on(const ServersPtr& servers, const Site& site);

// smb.watch@1 (remote/watch_trigger.h), for up to 10,000 files of a directory.
std::unique_ptr<TriggerSource> make_watch(const ServersPtr& servers, const Site& site, boost::asio::thread_pool& pool);

// `connection test` of kind "smb"; what `site` has outlives it.
std::unique_ptr<ConnectionTest> make_smb_test(Site site, std::string program = {});

Result<void> check_smb_client();  // Errors: not_found, with what to install

}  // namespace sallyport::connectors::smb
