#include "agent/app/jobs_and_tunnels.h"

namespace sallyport::app {

void JobsAndTunnels::on_go_away(link::Session& session, const std::string& reason, std::chrono::milliseconds drain) {
  jobs_.on_go_away(session, reason, drain);
}

void JobsAndTunnels::on_state(const agent::LinkStatus& status) {
  jobs_.on_state(status);
  if (status.revoked) on_revoked_();
}

}  // namespace sallyport::app
