#include "relay/store/tunnels.h"

namespace sallyport::store {
namespace {

template <class T>
void take(T& into, const std::optional<T>& given) {
  if (given) into = *given;
}

}  // namespace

TunnelState changed(TunnelState state, const TunnelChange& change) {
  take(state.networks, change.networks);
  take(state.access.roles, change.roles);
  take(state.access.tokens, change.tokens);
  take(state.limits.connections, change.connections);
  take(state.limits.bytes_per_second, change.bytes_per_second);
  take(state.limits.idle, change.idle);
  take(state.expires_at, change.expires_at);
  return state;
}

}  // namespace sallyport::store
