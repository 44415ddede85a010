#pragma once

#include "agent/link/identity.h"
#include "shared/async/task_group.h"
#include "shared/crypto/enrolment_string.h"
#include "shared/tls/stream.h"
#include "tests/support/pki.h"
#include "tests/support/scripted_owner.h"

#include <boost/asio/ip/tcp.hpp>

#include <deque>

namespace sallyport::v1 {
class EnrolRequest;
}

namespace sallyport::test {

// The relay's end of links and enrolments over real loopback TLS, with as much behaviour as a test wants.
// Call finish() before it dies.
class TestRelay {
 public:
  struct Guest final : ScriptedOwner {  // one link
    explicit Guest(TestRelay& relay) : relay_(relay) {}
    void on_control(link::Session& session, const v1::Control& message) override;
    TestRelay& relay_;
    crypto::SpiffeId id;
    std::string serial;                  // of the certificate the agent showed
    std::vector<std::string> installed;  // serials that it said it holds
    std::unique_ptr<link::Session> session;
    std::optional<link::EndReason> end;
  };

  TestRelay(boost::asio::any_io_executor executor, const Pki& pki, const Clock& clock);
  agent::Endpoint endpoint() const { return {"127.0.0.1", acceptor_.local_endpoint().port()}; }
  boost::asio::awaitable<void> finish();

  // A string as the relay would give out; `pin` as it should be unless a test wants another.
  std::string enrolment_string(std::chrono::milliseconds lifetime, std::optional<crypto::Digest> pin = std::nullopt);
  agent::Identity identity_for(AgentKeyPair pair) const;

  std::deque<Guest> guests;
  std::string heard;                  // every byte that came out of TLS, of links and enrolments
  std::vector<std::string> refusals;  // of TLS handshakes, by reason
  int enrol_requests = 0;             // that arrived
  bool reads_who_asks = false;        // gives an agent that is there its own certificate, as present relays do
  std::string enrol_error;            // answer with this code instead of a certificate
  Bytes enrol_garbage;                // answer with these bytes instead
  bool renew_for_other_key = false;   // answers renewals with a certificate for a key of its own
  std::string renew_error;
  std::chrono::milliseconds renew_behind{0};  // its clock, when it renews, behind the agent's

 private:
  boost::asio::awaitable<void> accept_loop();
  boost::asio::awaitable<void> welcome(boost::asio::ip::tcp::socket socket);
  boost::asio::awaitable<void> enrol(std::unique_ptr<tls::TlsStream> stream);
  Bytes answer_enrolment(const v1::EnrolRequest& request, const Bytes& exporter);

  const Pki& pki_;
  const Clock& clock_;
  boost::asio::ip::tcp::acceptor acceptor_;
  tls::ServerContext context_;
  Secret token_secret_;
  EnrolmentId token_;
  TaskGroup tasks_;
};

}  // namespace sallyport::test
