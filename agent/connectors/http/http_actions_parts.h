#pragma once

#include "agent/connectors/arguments.h"
#include "agent/connectors/connector.h"
#include "agent/connectors/http/answers.h"
#include "agent/connectors/http/client.h"

#include <memory>
#include <string>

// What the actions of this folder share.
namespace sallyport::connectors::http {

using SharedClients = std::shared_ptr<const Clients>;

// The policy lets this action run here, and the connection is of this kind.
StepResult<Client*> find_client(const Site& site, const Clients& clients, const StepContext& context,
                                std::string_view action);

// The step's own headers as lines. Class "invalid" for a name or a value that is no header's, for those that belong to
// the connection or the transport, and for those that the connection sends itself.
StepResult<std::vector<Secret>> step_headers(const Arguments& arguments, const policy::HttpConnection& settings);

std::unique_ptr<Action> make_request_action(Site site, SharedClients clients);
std::unique_ptr<Action> make_pages_action(Site site, SharedClients clients);

}  // namespace sallyport::connectors::http
