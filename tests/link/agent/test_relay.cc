#include "tests/link/agent/test_relay.h"

#include "proto/sallyport/v1/link.pb.h"
#include "shared/crypto/random.h"
#include "shared/mux/frame.h"
#include "tests/support/async_test.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace sallyport::test {
namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

namespace {

std::string text(const Bytes& bytes) { return std::string(as_text(bytes)); }

SteadyTime soon() { return std::chrono::steady_clock::now() + 30s; }

Bytes control_frame(const std::string& message) {
  Bytes wire;
  mux::append_frame(wire, {0, mux::FrameType::control, as_bytes(message)});
  return wire;
}

// Keeps what it reads.
class OverheardStream final : public ByteStream {
 public:
  OverheardStream(std::unique_ptr<ByteStream> stream, std::string& heard) : stream_(std::move(stream)), heard_(heard) {}
  asio::awaitable<Result<std::size_t>> read_some(std::span<std::byte> into) override {
    auto count = co_await stream_->read_some(into);
    if (count) heard_ += as_text(into.first(*count));
    co_return count;
  }
  asio::awaitable<Result<void>> write_all(std::span<const std::byte> bytes) override {
    return stream_->write_all(bytes);
  }
  void close() noexcept override { stream_->close(); }

 private:
  std::unique_ptr<ByteStream> stream_;
  std::string& heard_;
};

}  // namespace

TestRelay::TestRelay(asio::any_io_executor executor, const Pki& pki, const Clock& clock)
    : pki_(pki),
      clock_(clock),
      acceptor_(executor, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
      context_(must(tls::make_server_context(
          {pki.server.certificate, pki.server.key, pki.root.certificate, pki.trust_domain}, clock))),
      token_secret_(Secret::take(text(crypto::random_bytes(crypto::kEnrolmentSecretSize)))),
      token_(crypto::new_id<EnrolmentId>(clock)),
      tasks_(executor, [this](const auto& task, auto) {
        if (acceptor_.is_open()) FAIL_CHECK("a fault in the test relay's " << task);
      }) {
  tasks_.spawn("accept", accept_loop());
}

asio::awaitable<void> TestRelay::finish() {
  acceptor_.close();
  tasks_.stop();
  co_await tasks_.join();
}

asio::awaitable<void> TestRelay::accept_loop() {
  for (;;) {
    auto [bad, socket] = co_await acceptor_.async_accept(asio::as_tuple(asio::use_awaitable));
    if (bad) co_return;
    tasks_.spawn("connection", welcome(std::move(socket)));
  }
}

asio::awaitable<void> TestRelay::welcome(tcp::socket socket) {
  auto executor = socket.get_executor();
  auto stream = co_await tls::accept_tls(std::move(socket), context_, soon());
  if (!stream) {
    refusals.emplace_back(stream.error().reason);
    co_return;
  }
  if ((*stream)->facts().protocol == tls::kEnrolProtocol) co_return co_await enrol(std::move(*stream));
  auto& guest = guests.emplace_back(*this);
  guest.id = (*stream)->facts().agent->id;
  guest.serial = (*stream)->facts().agent->serial;
  guest.session =
      std::make_unique<link::Session>(executor, std::make_unique<OverheardStream>(std::move(*stream), heard),
                                      patient_options(mux::Side::relay), guest, clock_);
  guest.end = co_await guest.session->run();
}

void TestRelay::Guest::on_control(link::Session& from, const v1::Control& message) {
  if (message.has_renew_done()) installed.push_back(message.renew_done().serial());
  if (!message.has_renew_request()) return;
  v1::Control answer;
  auto& response = *answer.mutable_renew_response();
  const auto& pki = relay_.pki_;
  if (relay_.renew_error.empty()) {
    auto csr = must(crypto::SigningRequest::from_der(as_bytes(message.renew_request().csr_der())));
    if (relay_.renew_for_other_key) {
      csr = must(
          crypto::SigningRequest::from_der(must(crypto::make_signing_request(must(crypto::PrivateKey::generate())))));
    }
    const MovableClock own(relay_.clock_.wall() - relay_.renew_behind);
    const auto leaf = must(crypto::issue_agent_certificate(pki.issuer, csr, id, crypto::kAgentLifetime, own));
    response.set_certificate_der(text(leaf.der()));
    response.add_chain_der(text(pki.issuer.certificate.der()));
  } else {
    response.set_error(relay_.renew_error);
  }
  if (const auto sent = from.send_control(answer); !sent) FAIL_CHECK(sent.error().message);
}

std::string TestRelay::enrolment_string(std::chrono::milliseconds lifetime, std::optional<crypto::Digest> pin) {
  crypto::EnrolmentString parts;
  parts.relay_host = endpoint().host;
  parts.relay_port = endpoint().port;
  parts.root_pin = pin.value_or(pki_.root.certificate.key_pin());
  parts.token = token_;
  parts.secret = token_secret_.duplicate();
  parts.expires = clock_.wall() + lifetime;
  return std::string(must(crypto::format_enrolment_string(parts)).reveal());
}

agent::Identity TestRelay::identity_for(AgentKeyPair pair) const {
  return {endpoint(), "dc1", pair.id, std::move(pair.key), pair.chain, pki_.root.certificate};
}

asio::awaitable<void> TestRelay::enrol(std::unique_ptr<tls::TlsStream> stream) {
  mux::FrameReader frames;
  Bytes chunk(16u << 10);
  for (;;) {
    const auto count = co_await stream->read_some(chunk);
    if (!count || *count == 0) co_return;
    heard += as_text(std::span(chunk).first(*count));
    frames.feed(std::span(chunk).first(*count));
    const auto frame = frames.next();
    if (!frame) co_return;
    if (!*frame) continue;
    v1::EnrolRequest request;
    if (!request.ParseFromArray((*frame)->payload.data(), static_cast<int>((*frame)->payload.size()))) co_return;
    ++enrol_requests;
    const auto exporter =
        must(stream->export_keying_material(crypto::kEnrolmentExporterLabel, crypto::kEnrolmentExporterSize));
    const auto answer = answer_enrolment(request, exporter);
    const auto sent = co_await stream->write_all(answer);
    if (!sent) FAIL_CHECK(sent.error().message);
    co_return co_await stream->finish(soon());
  }
}

Bytes TestRelay::answer_enrolment(const v1::EnrolRequest& request, const Bytes& exporter) {
  if (!enrol_garbage.empty()) return enrol_garbage;
  v1::EnrolResponse response;
  const auto proof = crypto::enrolment_proof(token_secret_, exporter, as_bytes(request.csr_der()));
  const bool proven = request.token_id() == token_.value && request.proof() == as_text(proof);
  if (!proven || !enrol_error.empty()) {
    response.set_error_code(proven ? enrol_error : "proof");
    response.set_error_message("as the test wishes");
    return control_frame(response.SerializeAsString());
  }
  const bool known = reads_who_asks && !request.agent_id().empty();
  const crypto::SpiffeId id{pki_.trust_domain, pki_.org,
                            known ? AgentId(request.agent_id()) : crypto::new_id<AgentId>(clock_)};
  const auto csr = must(crypto::SigningRequest::from_der(as_bytes(request.csr_der())));
  const auto leaf = must(crypto::issue_agent_certificate(pki_.issuer, csr, id, crypto::kAgentLifetime, clock_));
  response.set_org_id(id.org.value);
  response.set_agent_id(id.agent.value);
  response.set_trust_domain(id.trust_domain);
  response.set_group("dc1");
  response.set_certificate_der(text(leaf.der()));
  response.add_chain_der(text(pki_.issuer.certificate.der()));
  response.set_root_der(text(pki_.root.certificate.der()));
  return control_frame(response.SerializeAsString());
}

}  // namespace sallyport::test
