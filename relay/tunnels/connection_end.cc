#include "relay/tunnels/connection_end.h"

namespace sallyport::tunnels {
namespace {

ConnectionEnd end_of(mux::ResetCode code) {
  switch (code) {
    case mux::ResetCode::forbidden: return ConnectionEnd::refused_by_policy;
    case mux::ResetCode::unreachable: return ConnectionEnd::unreachable;
    case mux::ResetCode::broken: return ConnectionEnd::target_reset;
    case mux::ResetCode::exhausted: return ConnectionEnd::too_many;
    case mux::ResetCode::refused:
    case mux::ResetCode::shutting_down: return ConnectionEnd::no_agent;
    case mux::ResetCode::cancelled:
    case mux::ResetCode::internal: return ConnectionEnd::link_lost;
  }
  return ConnectionEnd::link_lost;
}

}  // namespace

std::string_view to_string(ConnectionEnd end) {
  switch (end) {
    case ConnectionEnd::finished: return "finished";
    case ConnectionEnd::client_reset: return "client_reset";
    case ConnectionEnd::target_reset: return "target_reset";
    case ConnectionEnd::refused_by_policy: return "refused_by_policy";
    case ConnectionEnd::unreachable: return "unreachable";
    case ConnectionEnd::no_agent: return "no_agent";
    case ConnectionEnd::link_lost: return "link_lost";
    case ConnectionEnd::idle: return "idle";
    case ConnectionEnd::expired: return "expired";
    case ConnectionEnd::paused: return "paused";
    case ConnectionEnd::removed: return "removed";
    case ConnectionEnd::too_many: return "too_many";
    case ConnectionEnd::not_allowed: return "not_allowed";
    case ConnectionEnd::access_ended: return "access_ended";
    case ConnectionEnd::relay_stopped: return "relay_stopped";
    case ConnectionEnd::failed: return "failed";
  }
  return "unknown";
}

bool was_carried(ConnectionEnd end) {
  switch (end) {
    case ConnectionEnd::refused_by_policy:
    case ConnectionEnd::unreachable:
    case ConnectionEnd::no_agent:
    case ConnectionEnd::too_many:
    case ConnectionEnd::not_allowed: return false;
    default: return true;
  }
}

Ending ending_of(const tunnel::SpliceOutcome& outcome) {
  switch (outcome.end) {
    case tunnel::SpliceEnd::finished: return {ConnectionEnd::finished};
    case tunnel::SpliceEnd::socket_broken: return {ConnectionEnd::client_reset, outcome.detail};
    case tunnel::SpliceEnd::channel_broken:
      return {outcome.code ? end_of(*outcome.code) : ConnectionEnd::link_lost, outcome.detail};
    case tunnel::SpliceEnd::idle: return {ConnectionEnd::idle, outcome.detail};
    case tunnel::SpliceEnd::stopped: return {ConnectionEnd::relay_stopped, outcome.detail};
    case tunnel::SpliceEnd::failed: return {ConnectionEnd::failed, outcome.detail};
  }
  return {ConnectionEnd::link_lost, outcome.detail};
}

}  // namespace sallyport::tunnels
