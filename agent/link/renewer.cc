#include "agent/link/renewer.h"

#include "proto/sallyport/v1/link.pb.h"
#include "shared/async/event.h"
#include "shared/async/timeout.h"
#include "shared/crypto/signing_request.h"

#include <fmt/format.h>
#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace sallyport::agent {
namespace asio = boost::asio;

WallTime renewal_time(WallTime not_before, WallTime not_after, double random) {
  const auto life = not_after - not_before;
  const auto jitter = static_cast<std::int64_t>(static_cast<double>(life.count()) / 30 * (2 * random - 1));
  return not_before + life * 2 / 3 + WallTime::duration(jitter);
}

namespace {

WallTime::duration least_pause(const crypto::Certificate& leaf) { return (leaf.not_after() - leaf.not_before()) / 12; }

std::chrono::milliseconds rounded_up(SteadyTime::duration length) {
  return std::chrono::ceil<std::chrono::milliseconds>(length);
}

}  // namespace

struct Renewer::Impl {
  IdentityStore& identities;
  RenewalTimes times;
  Random random;
  const Clock& clock;
  const Log& log;
  Event* answered = nullptr;  // while a request waits for its answer
  std::unique_ptr<v1::RenewResponse> answer;
  SteadyTime earliest{};  // no renewal before, also on a later link

  void complain(const crypto::Certificate& fresh) const;
  asio::awaitable<Result<WallTime>> renew(link::Session& session);
  asio::awaitable<Result<v1::RenewResponse>> ask(link::Session& session, Bytes csr);
  Result<WallTime> accept(const v1::RenewResponse& response, crypto::PrivateKey key);
};

Renewer::Renewer(IdentityStore& identities, RenewalTimes times, Random random, const Clock& clock, const Log& log)
    : impl_(std::make_unique<Impl>(Impl{identities, times, std::move(random), clock, log})) {}

Renewer::~Renewer() = default;

void Renewer::on_response(const v1::RenewResponse& response) {
  if (!impl_->answered || impl_->answer) return impl_->log.warn("certificate.answer_unasked");
  impl_->answer = std::make_unique<v1::RenewResponse>(response);
  impl_->answered->set();
}

asio::awaitable<void> Renewer::run(link::Session& session) {
  auto& [identities, times, random, clock, log, answered, answer, earliest] = *impl_;
  Backoff backoff({times.retry_base, times.retry_cap, {}}, random);
  auto current = identities.load();
  if (!current) co_return log.error("certificate.unreadable", {{"problem", current.error().message}});
  auto due = renewal_time(current->chain[0].not_before(), current->chain[0].not_after(), random());
  for (;;) {
    // Looked at again and again, because the wall clock may jump.
    while (clock.wall() < due || clock.steady() < earliest) {
      const auto left = std::max(due - clock.wall(), rounded_up(earliest - clock.steady()));
      co_await sleep_for(std::min<std::chrono::milliseconds>(times.look, left));
    }
    const auto renewed = co_await impl_->renew(session);
    if (renewed) {
      log.info("certificate.renewed", {{"not_after", rfc3339(*renewed)}});
      current = identities.load();
      if (!current) co_return log.error("certificate.unreadable", {{"problem", current.error().message}});
      const auto& leaf = current->chain[0];
      due = renewal_time(leaf.not_before(), leaf.not_after(), random());
      earliest = clock.steady() + std::max<WallTime::duration>(times.retry_base, least_pause(leaf));
      if (clock.wall() >= due) impl_->complain(leaf);
    } else {
      log.warn("certificate.not_renewed", {{"problem", renewed.error().message}});
      co_await sleep_for(backoff.next(Setback::refused, times.retry_base));
    }
  }
}

// A certificate that is due for renewal as it comes: this clock is far ahead of the relay's.
void Renewer::Impl::complain(const crypto::Certificate& fresh) const {
  log.warn("clock.ahead", {{"issued_at", rfc3339(fresh.not_before())}, {"clock", rfc3339(clock.wall())}});
}

asio::awaitable<Result<WallTime>> Renewer::Impl::renew(link::Session& session) {
  SP_CO_TRY(auto key, crypto::PrivateKey::generate());
  SP_CO_TRY(auto csr, crypto::make_signing_request(key));
  SP_CO_TRY(const auto response, co_await ask(session, std::move(csr)));
  co_return accept(response, std::move(key));
}

asio::awaitable<Result<v1::RenewResponse>> Renewer::Impl::ask(link::Session& session, Bytes csr) {
  Event event(co_await asio::this_coro::executor);
  struct Waiting {
    Impl& impl;
    ~Waiting() { impl.answered = nullptr; }
  } waiting{*this};
  answered = &event;
  answer.reset();
  v1::Control request;
  request.mutable_renew_request()->set_csr_der(std::string(as_text(csr)));
  SP_CO_CHECK(session.send_control(request));
  co_await event.wait_until(clock.steady() + times.answer);
  if (!answer) co_return fail(Errc::timed_out, "the relay did not answer the renewal in time");
  co_return std::move(*answer);
}

// The new certificate has to be for the new key, for this very agent, and from the same root.
Result<WallTime> Renewer::Impl::accept(const v1::RenewResponse& response, crypto::PrivateKey key) {
  if (!response.error().empty())
    return fail(Errc::forbidden, fmt::format("the relay refused the renewal: {}", response.error()));
  SP_TRY(auto current, identities.load());
  SP_TRY(auto leaf, crypto::Certificate::from_der(as_bytes(response.certificate_der())));
  if (response.chain_der_size() != 1) return fail(Errc::invalid, "a renewal with a chain that is not one issuer");
  SP_TRY(auto issuer, crypto::Certificate::from_der(as_bytes(response.chain_der(0))));
  const auto not_after = leaf.not_after();
  if (not_after <= clock.wall())
    return fail(Errc::invalid, fmt::format("a renewal that ended at {}", rfc3339(not_after)));
  current.key = std::move(key);
  current.chain = {std::move(leaf), std::move(issuer)};
  SP_CHECK(identities.install(current));
  return not_after;
}

}  // namespace sallyport::agent
