#include "agent/link/enrol.h"

#include "proto/sallyport/v1/link.pb.h"
#include "shared/async/timeout.h"
#include "shared/base/utf8.h"
#include "shared/crypto/ca.h"
#include "shared/crypto/signing_request.h"
#include "shared/link/message_bytes.h"
#include "shared/mux/frame.h"
#include "shared/tls/context.h"
#include "shared/tls/stream.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::agent {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kReadSize = 16u << 10;

Errc errc_of(const std::string& code) {
  if (code == "csr" || code == "invalid") return Errc::invalid;
  if (code == "overloaded" || code == "unavailable") return Errc::unavailable;
  if (code == "agent") return Errc::conflict;
  return Errc::unauthenticated;
}

Result<Bytes> request_frame(const crypto::EnrolmentString& parts, const EnrolSettings& settings,
                            const crypto::PrivateKey& key, std::span<const std::byte> exporter) {
  SP_TRY(const auto csr, crypto::make_signing_request(key));
  const auto proof = crypto::enrolment_proof(parts.secret, exporter, csr);
  v1::EnrolRequest request;
  request.set_token_id(parts.token.value);
  request.set_csr_der(std::string(as_text(csr)));
  request.set_proof(std::string(as_text(proof)));
  request.set_hostname(settings.hostname);
  request.set_software(settings.software);
  if (settings.already) request.set_agent_id(settings.already->agent.value);
  Bytes wire;
  mux::append_frame(wire, {mux::kControlChannel, mux::FrameType::control, as_bytes(request.SerializeAsString())});
  return wire;
}

// From here on the relay may have used up the string, whatever becomes of its answer.
std::unexpected<Error> no_answer(Error error) {
  return fail(error.code, fmt::format("the relay's answer did not arrive ({}): try again, and ask for a new enrolment "
                                      "string if this one counts as used by then",
                                      error.message));
}

asio::awaitable<Result<v1::EnrolResponse>> ask_relay(ByteStream& stream, Bytes request) {
  SP_CO_CHECK(co_await stream.write_all(request));
  mux::FrameReader frames;
  Bytes chunk(kReadSize);
  for (;;) {
    auto count = co_await stream.read_some(chunk);
    if (!count) co_return no_answer(std::move(count).error());
    if (*count == 0) co_return no_answer({Errc::unavailable, "the relay closed the connection"});
    frames.feed(std::span(chunk).first(*count));
    SP_CO_TRY(const auto frame, frames.next());
    if (!frame) continue;
    v1::EnrolResponse response;
    const bool fits = frame->channel == mux::kControlChannel && frame->type == mux::FrameType::control &&
                      link::parse(response, frame->payload);
    if (!fits) co_return fail(Errc::invalid, "P7.3: the relay's answer is not an EnrolResponse");
    co_return response;
  }
}

Result<crypto::EnrolmentString> valid_parts(std::string text, const Clock& clock) {
  auto parts = crypto::parse_enrolment_string(text);
  wipe(text.data(), text.size());
  if (!parts || clock.wall() < parts->expires) return parts;
  return fail(Errc::unauthenticated,
              fmt::format("the enrolment string expired at {}, and this machine's clock says {}: ask for a new one",
                          rfc3339(parts->expires), rfc3339(clock.wall())));
}

// `parts` outlives it.
asio::awaitable<Result<Identity>> enrol_through(std::unique_ptr<tls::SecureStream> stream,
                                                const crypto::EnrolmentString& parts, EnrolSettings settings,
                                                SteadyTime deadline) {
  SP_CO_TRY(const auto exporter,
            stream->export_keying_material(crypto::kEnrolmentExporterLabel, crypto::kEnrolmentExporterSize));
  const auto already = settings.already;
  auto outcome = co_await with_deadline(deadline, enrol_over(*stream, parts, std::move(settings), exporter));
  if (!outcome && outcome.error().code == Errc::timed_out)
    co_return std::unexpected(after_asking(no_answer(std::move(outcome).error()).error(), already));
  co_return outcome;
}

// An older relay does not read who asks.
std::unexpected<Error> made_another(const crypto::SpiffeId& id) {
  return fail(Errc::conflict, fmt::format("the relay has made {} of {} by this string, which this agent is not: it "
                                          "stays who it is; revoke that one",
                                          id.agent.value, id.org.value));
}

// The root of the string, or its successor by its own word: a string may be older than a switch. The handshake has
// judged their validity in time.
Result<void> check_root(const v1::EnrolResponse& response, const crypto::Certificate& root, const crypto::Digest& pin) {
  if (root.key_pin() == pin) return {};
  if (response.old_root_der().empty())
    return fail(Errc::unauthenticated, "the root in the answer is not the one the enrolment string names");
  SP_TRY(auto old_root, crypto::Certificate::from_der(as_bytes(response.old_root_der())));
  SP_TRY(auto cross, crypto::Certificate::from_der(as_bytes(response.root_cross_der())));
  if (old_root.key_pin() != pin)
    return fail(Errc::unauthenticated, "neither root in the answer is the one the enrolment string names");
  auto fits = crypto::check_succession({std::move(old_root), std::move(cross)}, root);
  return fits ? Result<void>() : in_context("P7.7: the relay offers another root", fits.error());
}

}  // namespace

Error after_asking(Error error, const std::optional<crypto::SpiffeId>& already) {
  if (!already) return error;
  error.message += fmt::format(
      ". The relay may have given {} a new certificate all the same, and has then ended the old one; if the agent is "
      "refused now: {}",
      already->agent.value, kHowToEnrolAgain);
  return error;
}

Result<Identity> accept_enrolment(const v1::EnrolResponse& response, const crypto::EnrolmentString& parts,
                                  crypto::PrivateKey key) {
  if (!response.error_code().empty()) {
    return fail(errc_of(response.error_code()),
                fmt::format("the relay refused the enrolment ({}): {}", for_terminal(response.error_code(), 32),
                            for_terminal(response.error_message(), 500)));
  }
  SP_TRY(auto root, crypto::Certificate::from_der(as_bytes(response.root_der())));
  SP_CHECK(check_root(response, root, parts.root_pin));
  SP_TRY(auto leaf, crypto::Certificate::from_der(as_bytes(response.certificate_der())));
  if (response.chain_der_size() != 1) return fail(Errc::invalid, "P7.4: the answer's chain is not one issuer");
  SP_TRY(auto issuer, crypto::Certificate::from_der(as_bytes(response.chain_der(0))));
  const crypto::SpiffeId named{response.trust_domain(), OrgId(response.org_id()), AgentId(response.agent_id())};
  SP_TRY(auto id, crypto::parse_spiffe_id(to_string(named)));
  if (response.group().find_first_of("\r\n") != std::string::npos)
    return fail(Errc::invalid, "P7.4: a group with a line break");
  Identity identity{{parts.relay_host, parts.relay_port},
                    response.group(),
                    std::move(id),
                    std::move(key),
                    {std::move(leaf), std::move(issuer)},
                    std::move(root),
                    parse_web_address(parts.api_url) ? parts.api_url : ""};
  SP_CHECK(check_identity(identity));
  return identity;
}

asio::awaitable<Result<Identity>> enrol_over(ByteStream& stream, const crypto::EnrolmentString& parts,
                                             EnrolSettings settings, Bytes exporter) {
  SP_CO_TRY(auto key, crypto::PrivateKey::generate());
  SP_CO_TRY(auto request, request_frame(parts, settings, key, exporter));
  const auto response = co_await ask_relay(stream, std::move(request));
  if (!response) co_return std::unexpected(after_asking(response.error(), settings.already));
  auto identity = accept_enrolment(*response, parts, std::move(key));
  if (!identity && response->error_code().empty())
    co_return std::unexpected(after_asking(std::move(identity).error(), settings.already));
  if (identity && settings.already && *settings.already != identity->id) co_return made_another(identity->id);
  co_return identity;
}

asio::awaitable<Result<Identity>> enrol(std::string enrolment_string, EnrolSettings settings, const Dialer& dialer,
                                        const Clock& clock, SteadyTime deadline) {
  SP_CO_TRY(const auto parts, valid_parts(std::move(enrolment_string), clock));
  const Endpoint relay{parts.relay_host, parts.relay_port};
  SP_CO_TRY(const auto context, tls::make_enrol_client_context(parts.root_pin, clock));
  SP_CO_TRY(auto socket, co_await dialer.dial(relay, deadline));
  auto stream = co_await tls::connect_tls(std::move(socket), context, relay.host, deadline);
  if (!stream)
    co_return in_context(fmt::format("TLS with {} ({})", to_string(relay), stream.error().reason),
                         std::move(stream.error().error));
  co_return co_await enrol_through(*std::move(stream), parts, std::move(settings), deadline);
}

asio::awaitable<Result<Identity>> enrol(std::string enrolment_string, EnrolSettings settings, Ways& ways,
                                        const Clock& clock, SteadyTime deadline) {
  SP_CO_TRY(const auto parts, valid_parts(std::move(enrolment_string), clock));
  const Endpoint relay{parts.relay_host, parts.relay_port};
  SP_CO_TRY(const auto context, tls::make_enrol_client_context(parts.root_pin, clock));
  const auto web = parse_web_address(parts.api_url).value_or(WebAddress{relay, ""});
  SP_CO_TRY(auto stream, co_await ways.reach({relay, web}, context, deadline));
  co_return co_await enrol_through(std::move(stream), parts, std::move(settings), deadline);
}

}  // namespace sallyport::agent
