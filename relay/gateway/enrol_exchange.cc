#include "relay/gateway/enrol_exchange.h"

#include "proto/sallyport/v1/link.pb.h"
#include "shared/async/timeout.h"
#include "shared/link/message_bytes.h"
#include "shared/mux/frame.h"

#include <array>

namespace sallyport::gateway {
namespace asio = boost::asio;
namespace {

constexpr auto kTimeForAll = std::chrono::seconds(20);
constexpr auto kFarewell = std::chrono::seconds(2);
constexpr std::size_t kMaxRequest = 16u << 10;
constexpr std::size_t kMaxName = 255;

asio::awaitable<Result<v1::EnrolRequest>> read_request(ByteStream& stream) {
  mux::FrameReader frames(kMaxRequest);
  std::array<std::byte, 4096> chunk;
  for (;;) {
    SP_CO_TRY(const auto size, co_await stream.read_some(chunk));
    if (size == 0) co_return fail(Errc::invalid, "the caller closed before its request was complete");
    frames.feed(std::span(chunk).first(size));
    SP_CO_TRY(const auto frame, frames.next());
    if (!frame) continue;
    v1::EnrolRequest request;
    const bool is_request = frame->channel == mux::kControlChannel && frame->type == mux::FrameType::control &&
                            link::parse(request, frame->payload);
    if (!is_request) co_return fail(Errc::invalid, "not an enrolment request");
    if (request.hostname().size() > kMaxName || request.software().size() > kMaxName ||
        request.agent_id().size() > kMaxName) {
      co_return fail(Errc::too_large, "an enrolment request with a name over 255 bytes");
    }
    co_return request;
  }
}

Bytes bytes_of(const std::string& text) {
  const auto view = as_bytes(text);
  return {view.begin(), view.end()};
}

v1::EnrolResponse response_of(const identity::Enrolment& outcome) {
  v1::EnrolResponse response;
  if (!outcome) {
    response.set_error_code(std::string(outcome.error().code));
    response.set_error_message(outcome.error().message);
    return response;
  }
  response.set_org_id(outcome->org.value);
  response.set_agent_id(outcome->agent.value);
  response.set_group(outcome->group);
  response.set_certificate_der(std::string(as_text(outcome->certificate.der())));
  for (const auto& ca : outcome->chain) response.add_chain_der(std::string(as_text(ca.der())));
  response.set_root_der(std::string(as_text(outcome->root.der())));
  response.set_trust_domain(outcome->trust_domain);
  if (const auto& before = outcome->predecessor) {
    response.set_old_root_der(std::string(as_text(before->root.der())));
    response.set_root_cross_der(std::string(as_text(before->cross.der())));
  }
  return response;
}

asio::awaitable<Result<void>> answer(tls::SecureStream& stream, const v1::EnrolResponse& response) {
  Bytes frame;
  const auto payload = response.SerializeAsString();
  mux::append_frame(frame, {mux::kControlChannel, mux::FrameType::control, as_bytes(payload)});
  co_return co_await stream.write_all(frame);
}

asio::awaitable<Result<void>> exchange(tls::SecureStream& stream, Enroller who, const EnrolmentDesk& desk) {
  SP_CO_TRY(auto request, co_await with_timeout(desk.time_to_ask, read_request(stream)));
  SP_CO_TRY(auto exporter,
            stream.export_keying_material(crypto::kEnrolmentExporterLabel, crypto::kEnrolmentExporterSize));
  identity::EnrolmentAsk ask{.token_id = request.token_id(),
                             .csr_der = bytes_of(request.csr_der()),
                             .proof = bytes_of(request.proof()),
                             .hostname = request.hostname(),
                             .software = request.software(),
                             .from_address = who.address,
                             .source = who.source,
                             .agent_id = request.agent_id()};
  const auto outcome = co_await desk.enrolments.redeem(std::move(ask), std::move(exporter));
  if (outcome) {
    if (outcome->again) desk.on_again(outcome->org, outcome->agent);
    desk.log.info(outcome->again ? "agent.reenrolled" : "agent.enrolled",
                  {{"org", outcome->org.value}, {"agent", outcome->agent.value}, {"address", who.address}});
  } else {
    const auto& [code, message, why] = outcome.error();
    desk.log.warn("agent.enrolment_refused",
                  {{"reason", code}, {"message", why.empty() ? message : why}, {"address", who.address}});
  }
  co_return co_await answer(stream, response_of(outcome));
}

}  // namespace

asio::awaitable<void> serve_enrolment(std::unique_ptr<tls::SecureStream> stream, Enroller who, EnrolmentDesk desk) {
  auto done = co_await with_timeout(kTimeForAll, exchange(*stream, who, desk));
  if (!done) desk.log.warn("agent.enrolment_failed", {{"address", who.address}, {"message", done.error().message}});
  co_await stream->finish(std::chrono::steady_clock::now() + kFarewell);
}

}  // namespace sallyport::gateway
