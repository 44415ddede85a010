#pragma once

#include "agent/connectors/connection_test.h"
#include "agent/connectors/connector.h"
#include "agent/connectors/site.h"

#include <memory>
#include <vector>

namespace sallyport::connectors::ldap {

// ldap.search@1, ldap.add@1, ldap.modify@1, ldap.delete@1, ldap.rename@1 on connections of kind "ldap"; arguments and
// outputs are in the catalogue (docs/actions.md). Names of entries are read into parts, held to the connection's base
// and the local policy's, and written anew; values of filters are escaped (filter.h). They share a pool of sessions per
// connection. Errors: "ldap:NN" (the result code) with one of constraint, not_found, permission, invalid, too_large,
// timeout, connection; and policy, format, cancelled. No message holds a value or the name of an entry. "in_doubt": a
// change was sent and not answered; where doing it once more has no other effect, the class of what happened stands
// behind it, or alone.
std::vector<std::unique_ptr<Action>> make_actions(Site site);

// Whether OpenLDAP's client library is on this machine. Errors: not_found, with what to install.
Result<void> check_ldap_client();

// `connection test` of kind "ldap"; what `site` has outlives it.
std::unique_ptr<ConnectionTest> make_ldap_test(Site site);

}  // namespace sallyport::connectors::ldap
