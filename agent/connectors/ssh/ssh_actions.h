#pragma once

#include "agent/connectors/connector.h"
#include "agent/connectors/site.h"
#include "agent/connectors/trigger.h"

#include <boost/asio/thread_pool.hpp>

#include <memory>
#include <vector>

namespace sallyport::connectors::ssh {

class Servers;
using ServersPtr = std::shared_ptr<const Servers>;

// The sessions with all servers, which actions and the watch share.
ServersPtr make_servers(const Site& site);

// The actions of remote/remote_actions.h with the prefix "sftp", on connections of kind "ssh". Of a server that shows
// no pinned key {"host_key:unknown", "permission"}. ssh.run@1: a command that the local policy has for the connection
// (`commands`), as one line in which the server's shell finds each argument quoted. Errors as of command.run@1;
// {"in_doubt", ...} for all that ends it after its start and is no exit of its own, because nobody can know whether it
// goes on.
std::vector<std::unique_ptr<Action>> make_actions_on(const ServersPtr& servers, const Site& site);
std::vector<std::unique_ptr<Action>> make_actions(Site site);  // with sessions of their own

// sftp.watch@1 (remote/watch_trigger.h), for up to 10,000 files of a directory.
std::unique_ptr<TriggerSource> make_watch(const ServersPtr& servers, const Site& site, boost::asio::thread_pool& pool);

}  // namespace sallyport::connectors::ssh
