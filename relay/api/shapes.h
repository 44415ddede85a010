#pragma once

#include "relay/api/payloads.h"
#include "relay/store/store.h"
#include "shared/base/value.h"

// How stored things look in answers; docs/api/openapi.yaml describes each under the name of its type.
namespace sallyport::api {

Value shape(const store::Organisation& organisation);
Value shape(const store::User& user);
Value shape(const store::ApiToken& token);  // never its hash
Value shape(const store::Group& group);
Value shape(const store::EnrolmentToken& token, WallTime now);
Value shape(const store::Recipe& recipe);
Value shape(const store::RecipeVersionSummary& version);
Value shape(const store::AuditRow& row);
Value shape(const store::AuditVerdict& verdict);
// With their sealed messages, opened.
boost::asio::awaitable<Value> job_shape(Services& services, PayloadReader& reader, store::Job job);
boost::asio::awaitable<Value> connection_shape(PayloadReader& reader, store::Connection connection);

std::string_view to_string(store::AgentStatus status);
std::string_view to_string(store::ConnectionHealth health);
std::string_view to_string(store::EnrolmentState state);

}  // namespace sallyport::api
