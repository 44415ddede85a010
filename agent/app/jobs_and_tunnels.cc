#include "agent/app/jobs_and_tunnels.h"

namespace sallyport::app {

void JobsAndTunnels::on_go_away(link::Session& session, const std::string& reason, std::chrono::milliseconds drain) {
  jobs_.on_go_away(session, reason, drain);
}

}  // namespace sallyport::app
