#include "agent/app/link_visit.h"

#include "shared/async/timeout.h"
#include "shared/crypto/random.h"
#include "shared/link/session.h"

namespace sallyport::app {
namespace asio = boost::asio;
namespace {

class Visitor final : public link::SessionOwner {
 public:
  explicit Visitor(const Clock& clock) : clock_(clock) {}

  asio::awaitable<void> serve(link::Session& session) override {
    const auto ahead = std::chrono::milliseconds(unix_ms(clock_.wall()) - session.peer().server_time_ms);
    if (co_await session.wait_until_proven()) {
      visit = LinkVisit{session.peer().software, session.round_trip().value_or(std::chrono::milliseconds(0)), ahead};
      session.stop("the doctor has seen enough");
    }
  }
  void on_ping(link::Session& session, std::uint64_t nonce) override { session.pong(nonce); }
  void on_control(link::Session&, const v1::Control&) override {}

  std::optional<LinkVisit> visit;

 private:
  const Clock& clock_;
};

link::SessionOptions visitors_options(std::string summary) {
  link::SessionOptions options;
  options.side = mux::Side::agent;
  options.self.software = "sallyport-agent/" SALLYPORT_VERSION " doctor";
  options.self.policy_summary_json = std::move(summary);
  options.self.boot_id.resize(16);
  crypto::fill_random(options.self.boot_id);
  return options;
}

asio::awaitable<Result<link::EndReason>> run(link::Session& session) { co_return co_await session.run(); }

}  // namespace

asio::awaitable<Result<LinkVisit>> visit_relay(agent::Transport& transport, agent::Endpoint relay, std::string summary,
                                               const Clock& clock, SteadyTime deadline) {
  SP_CO_TRY(auto stream, co_await transport.connect(std::move(relay), deadline));
  Visitor visitor(clock);
  link::Session session(co_await asio::this_coro::executor, std::move(stream), visitors_options(std::move(summary)),
                        visitor, clock);
  const auto end = co_await with_deadline(deadline, run(session));
  if (visitor.visit) co_return *visitor.visit;
  if (!end) co_return fail(Errc::timed_out, "the relay accepted the connection and did not answer in time");
  const auto& refusal = end->refusal;
  if (refusal)
    co_return fail(Errc::forbidden, "the relay refuses this agent: " + refusal->code + ", " + refusal->message);
  co_return fail(Errc::unavailable, std::string(link::to_string(end->end)) + ": " + end->message);
}

}  // namespace sallyport::app
