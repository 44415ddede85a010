#pragma once

#include "agent/findings/finding.h"
#include "agent/link/proxy.h"
#include "shared/base/clock.h"
#include "shared/crypto/digest.h"

#include <boost/asio/awaitable.hpp>

#include <chrono>

namespace sallyport::doctor {

using findings::Finding, findings::Findings, findings::Verdict;

// How the agent would go to the relay.
struct Journey {
  agent::Endpoint relay;
  std::string proxy;  // as agent::Dialer takes it
  agent::Environment environment;
  crypto::Digest root_pin;                    // of the deployment's root, which the relay has to show
  std::string host_name;                      // of this machine, for the request to the network's people
  std::chrono::milliseconds patience{5'000};  // for each step
  // How long a connection has to live without a byte. Links say something every 5 s.
  std::chrono::milliseconds silence{8'000};
};

struct NetworkReport {
  Findings findings;     // "proxy", "dns", "route", "tls", "silence", "size", in the order of the journey
  std::string request;   // see Report
  bool reached = false;  // the relay has proved itself
};

// Walks the way to the relay, and says at each step what is there. Shows no certificate of this agent and sends nothing
// but a TLS handshake and, to learn whether large packets get through, 12 KB that the relay refuses as no enrolment.
// Takes `silence` and some seconds; each step has its deadline. Never fails: what is wrong is a finding.
boost::asio::awaitable<NetworkReport> examine_network(Journey journey, const Clock& clock);

}  // namespace sallyport::doctor
