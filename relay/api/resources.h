#pragma once

#include "relay/api/registry.h"

#include <span>

// The routes of each resource, declared in the file of its name next to their handlers.
namespace sallyport::api {

std::span<const Route> link_routes();  // agents that come through HTTPS
std::span<const Route> meta_routes();  // health, metrics, documents, whoami
std::span<const Route> organisation_routes();
std::span<const Route> key_routes();
std::span<const Route> own_key_routes();
std::span<const Route> erasure_routes();
std::span<const Route> export_routes();
std::span<const Route> retention_routes();
std::span<const Route> archive_routes();
std::span<const Route> user_routes();
std::span<const Route> token_routes();
std::span<const Route> group_routes();
std::span<const Route> agent_routes();
std::span<const Route> enrolment_routes();
std::span<const Route> connection_routes();
std::span<const Route> authorization_routes();
std::span<const Route> system_key_routes();
std::span<const Route> recipe_routes();
std::span<const Route> recipe_version_routes();
std::span<const Route> webhook_routes();
std::span<const Route> job_routes();
std::span<const Route> job_history_routes();
std::span<const Route> tunnel_routes();
std::span<const Route> audit_routes();

}  // namespace sallyport::api
