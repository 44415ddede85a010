#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport::link {

// Why a link ended. The first reason wins and is what gets logged.
enum class LinkEnd {
  stopped,            // the owner asked for it
  drained,            // after GoAway of either side
  peer_closed,        // the other side closed without a word
  stream_failed,      // TCP or TLS broke
  protocol_error,     // the other side broke a rule of docs/protocol.md; the message cites it
  silent_peer,        // no round trip through the other side's dispatch path in time
  handshake_timeout,  // no Hello or Welcome in time
  refused,            // the other side sent a Refusal
  refused_peer,       // this side sent a Refusal
  internal,           // a fault of ours
};
std::string_view to_string(LinkEnd end);

// What a side tells the other before it closes the link for a reason of its own.
struct Refusal {
  std::string code;                          // "version", "revoked", "quarantined", "protocol", "overloaded"
  std::string message;                       // for the other side's log
  std::chrono::milliseconds retry_after{0};  // 0: see P11.3
};

// With "protocol": what went wrong may have been a stop of either process, and does not have to come again.
inline constexpr std::chrono::seconds kRetryAfterViolation{30};

struct EndReason {
  LinkEnd end = LinkEnd::stopped;
  std::string message;
  std::optional<Refusal> refusal;  // with `refused` and `refused_peer`
};

}  // namespace sallyport::link
