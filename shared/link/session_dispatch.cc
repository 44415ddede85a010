#include "shared/link/session_impl.h"

#include "proto/sallyport/v1/link.pb.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::link {
namespace {

constexpr std::chrono::hours kLongestDrain{1};

// "tunnel/1 db" is for who serves "tunnel/1".
std::string_view service_of(std::string_view purpose) { return purpose.substr(0, purpose.find(' ')); }

}  // namespace

void Session::Impl::send(const v1::Control& message) {
  if (core->ended.is_set()) return;
  if (const auto queued = core->mux.send_control(encode_control(message)); !queued) {
    return end(LinkEnd::stream_failed, queued.error().message);
  }
  core->wake_writer();
}

void Session::Impl::break_off(std::string message) {
  end_with_refusal(LinkEnd::protocol_error, {"protocol", std::move(message), kRetryAfterViolation});
}

void Session::Impl::on_event(const mux::MuxEvent& event) {
  using Kind = mux::MuxEvent::Kind;
  if (event.kind == Kind::control) return on_control(event.payload);
  if (event.kind == Kind::opened) return on_open(event.channel, as_text(event.payload));
  const auto state = core->find(event.channel);
  if (!state) return;
  if (event.kind == Kind::readable) state->became_readable();
  if (event.kind == Kind::writable) state->became_writable();
  if (event.kind == Kind::broken) state->became_broken();
}

void Session::Impl::on_open(mux::ChannelNumber number, std::string_view purpose) {
  if (std::ranges::find(options.serves, service_of(purpose)) == options.serves.end()) {
    core->mux.reset(number, mux::ResetCode::refused, "nobody serves this purpose");
    return core->mux.release(number);
  }
  backlog.push_back({std::string(purpose), Channel(core->attach(number))});
  incoming.set();
}

void Session::Impl::on_control(std::span<const std::byte> bytes) {
  const auto message = parse_control(bytes);
  if (!message) return break_off(message.error().message);
  if (message->has_refusal()) {
    const auto& body = message->refusal();
    Refusal refusal{body.code(), body.message(), std::chrono::milliseconds(body.retry_after_ms())};
    return end(LinkEnd::refused, fmt::format("the other side refused the link ({}): {}", refusal.code, refusal.message),
               refusal);
  }
  if (!working) return on_handshake_message(*message);
  switch (message->body_case()) {
    case v1::Control::kPing: return owner.on_ping(self, message->ping().nonce());
    case v1::Control::kPong: return on_pong(message->pong().nonce());
    case v1::Control::kGoAway: return on_go_away(*message);
    case v1::Control::kHello:
    case v1::Control::kWelcome: return break_off("P3.2: a second greeting");
    case v1::Control::BODY_NOT_SET: return;  // newer than this software
    default: return owner.on_control(self, *message);
  }
}

void Session::Impl::on_handshake_message(const v1::Control& message) {
  const bool expected = options.side == mux::Side::agent ? message.has_welcome() : message.has_hello();
  if (!expected || greeted.is_set()) return break_off("P3.2: not the greeting that comes first");
  if (options.side == mux::Side::agent) return on_welcome(message);
  auto offer = judge_hello(message.hello(), options.self);
  if (!offer) return end_with_refusal(LinkEnd::refused_peer, std::move(offer.error()));
  hello = std::make_unique<Offer>(*std::move(offer));
  greeted.set();
}

void Session::Impl::on_welcome(const v1::Control& message) {
  auto offer = judge_welcome(message.welcome(), options.self);
  if (!offer) return end_with_refusal(LinkEnd::refused_peer, std::move(offer.error()));
  peer = std::move(offer->peer);
  options.times.heartbeat = offer->heartbeat;
  // At once, because channels of the relay may follow in the same read.
  core->mux.start(offer->window);
  greeted.set();
  begin_work();
}

void Session::Impl::on_pong(std::uint64_t nonce) {
  if (nonce == 0 || nonce > last_ping)
    return break_off(fmt::format("P10.2: an answer to ping {}, which was not sent", nonce));
  if (nonce <= last_answered) return;
  last_answered = nonce;
  last_proof = clock.steady();
  if (nonce == last_ping) {
    round_trip = std::chrono::duration_cast<std::chrono::milliseconds>(last_proof - last_ping_at);
    core->growth.measured(last_proof - last_ping_at);
  }
  proof.set();
}

void Session::Impl::on_go_away(const v1::Control& message) {
  const auto& body = message.go_away();
  const auto drain = std::min<std::chrono::milliseconds>(std::chrono::milliseconds(body.drain_ms()), kLongestDrain);
  begin_draining(drain);
  owner.on_go_away(self, body.reason(), drain);
}

}  // namespace sallyport::link
