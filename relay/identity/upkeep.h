#pragma once

#include "relay/audit/audit.h"
#include "relay/identity/agent_authority.h"
#include "relay/identity/deployment.h"
#include "shared/async/event.h"
#include "shared/base/log.h"
#include "shared/base/metrics.h"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>

namespace sallyport::identity {

inline constexpr std::chrono::hours kIssuingCaRenewal{24 * 365};  // before its end
inline constexpr std::chrono::hours kUpkeepInterval{24};
inline constexpr std::chrono::hours kUpkeepRetry{1};
inline constexpr std::chrono::seconds kUpkeepBusy{1};  // while a command changes the deployment's directory

// Keeps the relay's own certificates from running out: the server's in the last third of its life, each organisation's
// issuing CA in its last year, or as soon as it is not of the present root. An issuing CA that was renewed signs no
// more; agents that it signed stay welcome until their certificates end, for they chain to the same root. Every look
// reads the deployment's directory anew, so a root key that was put back is used, one that was taken away is forgotten,
// and a root that was prepared, switched to or retired meanwhile (root_rotation.h) is taken into use. Lives on the
// relay's loop, which it blocks for the few milliseconds of writing a file, never for another process; everything
// handed in outlives it.
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
    // Issuing CAs are of the present root now that were of another: agents can be led to it. May be empty.
    std::function<void()> lead_agents;
  };
  Upkeep(Deployment& deployment, Parts parts);

  // One look at everything; the time until the next one. What could not be renewed is logged, with the days left.
  boost::asio::awaitable<std::chrono::seconds> check();
  // Until cancelled. The first look is the caller's, before it listens; it says when the next one is due.
  boost::asio::awaitable<void> run(std::chrono::seconds first_pause);
  void look_now();  // run() looks at once: somebody changed the deployment

 private:
  enum class Came { well, root_offline, failed, busy };  // worse and worse, as the next look is due

  boost::asio::awaitable<void> wait_for_turn(std::chrono::seconds pause);
  Came look_at_directory();
  Result<void> read_again();
  boost::asio::awaitable<void> tell_of_roots();
  boost::asio::awaitable<void> tell(std::string_view event, std::string_view action, crypto::Certificate root);
  boost::asio::awaitable<Came> check_server();
  boost::asio::awaitable<Came> check_issuing_cas();
  boost::asio::awaitable<Came> renew_issuing_ca(OrgId org, crypto::Certificate present);
  Came overdue(std::string_view what, const std::string& of, WallTime end, const Error& why) const;

  Deployment& deployment_;
  Parts parts_;
  crypto::Certificate served_;
  // As far as they are told of.
  crypto::Certificate root_;
  std::optional<crypto::Certificate> old_root_;
  std::optional<crypto::Certificate> standby_;
  bool roots_changed_ = false;  // and are not served yet
  bool look_now_ = false;
  Event* woken_ = nullptr;  // while run() waits
  Gauge& server_days_;
  Gauge& issuing_days_;
};

}  // namespace sallyport::identity
