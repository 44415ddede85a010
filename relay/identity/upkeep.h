#pragma once

#include "relay/audit/audit.h"
#include "relay/identity/agent_authority.h"
#include "relay/identity/deployment.h"
#include "shared/base/log.h"
#include "shared/base/metrics.h"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <filesystem>
#include <functional>

namespace sallyport::identity {

inline constexpr std::chrono::hours kIssuingCaRenewal{24 * 365};  // before its end
inline constexpr std::chrono::hours kUpkeepInterval{24};
inline constexpr std::chrono::hours kUpkeepRetry{1};

// Keeps the relay's own certificates from running out: the server's in the last third of its life, each organisation's
// issuing CA in its last year. An issuing CA that was renewed signs no more; agents that it signed stay welcome until
// their certificates end, for they chain to the same root. Every look reads the deployment's directory anew, so a root
// key that was put back is used, and one that was taken away is forgotten. Lives on the relay's loop, which it blocks
// for the few milliseconds of writing a file; everything handed in outlives it.
class Upkeep {
 public:
  struct Parts {
    std::filesystem::path directory;  // of the deployment
    store::IssuingCas& cas;
    AgentAuthority& authority;  // works with `deployment`
    Audit& audit;
    const Log& log;
    Metrics& metrics;
    const Clock& clock;
    // Takes the deployment's server certificate into use for handshakes from now on. Never empty.
    std::function<Result<void>(const Deployment&)> serve_anew;
  };
  Upkeep(Deployment& deployment, Parts parts);

  // One look at everything; the time until the next one. What could not be renewed is logged, with the days left.
  boost::asio::awaitable<std::chrono::hours> check();
  // Until cancelled. The first look is the caller's, before it listens; it says when the next one is due.
  boost::asio::awaitable<void> run(std::chrono::hours first_pause);

 private:
  enum class Came { well, root_offline, failed };

  Result<void> read_again();
  boost::asio::awaitable<Came> check_server();
  boost::asio::awaitable<Came> check_issuing_cas();
  boost::asio::awaitable<Came> renew_issuing_ca(OrgId org, crypto::Certificate present);
  Came overdue(std::string_view what, const std::string& of, WallTime end, const Error& why) const;

  Deployment& deployment_;
  Parts parts_;
  crypto::Certificate served_;
  Gauge& server_days_;
  Gauge& issuing_days_;
};

}  // namespace sallyport::identity
