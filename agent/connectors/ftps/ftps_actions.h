#pragma once

#include "agent/connectors/connection_test.h"
#include "agent/connectors/connector.h"
#include "agent/connectors/remote/access.h"
#include "agent/connectors/site.h"
#include "agent/connectors/trigger.h"

#include <boost/asio/thread_pool.hpp>

#include <memory>
#include <vector>

namespace sallyport::connectors::ftps {

using ServersPtr = std::shared_ptr<const remote::Servers>;

// The sessions with all servers, which actions and the watch share.
ServersPtr make_servers(const Site& site);

// The actions of remote/remote_actions.h with the prefix "ftps", on connections of kind "ftps".
std::vector<std::unique_ptr<Action>> make_actions_on(const ServersPtr& servers, const Site& site);
std::vector<std::unique_ptr<Action>> make_actions(Site site);  // with sessions of their own

// ftps.watch@1 (remote/watch_trigger.h), for up to 1,000 files of a directory: servers without MLSD are asked for the
// time of each.
std::unique_ptr<TriggerSource> make_watch(const ServersPtr& servers, const Site& site, boost::asio::thread_pool& pool);

// `connection test` of kind "ftps"; what `site` has outlives it.
std::unique_ptr<ConnectionTest> make_ftps_test(Site site);

}  // namespace sallyport::connectors::ftps
