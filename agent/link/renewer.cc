#include "agent/link/renewer.h"

#include "proto/sallyport/v1/link.pb.h"
#include "shared/async/event.h"
#include "shared/async/timeout.h"
#include "shared/crypto/ca.h"
#include "shared/crypto/signing_request.h"

#include <fmt/format.h>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <optional>

namespace sallyport::agent {
namespace asio = boost::asio;

WallTime renewal_time(WallTime not_before, WallTime not_after, double random) {
  const auto life = not_after - not_before;
  const auto jitter = static_cast<std::int64_t>(static_cast<double>(life.count()) / 30 * (2 * random - 1));
  return not_before + life * 2 / 3 + WallTime::duration(jitter);
}

namespace {

WallTime::duration least_pause(const crypto::Certificate& leaf) { return (leaf.not_after() - leaf.not_before()) / 12; }

// True: `trusted` has been replaced by the root of the answer. Only the trusted one's word makes another one trusted.
Result<bool> take_root(const v1::RenewResponse& response, crypto::Certificate& trusted, WallTime now) {
  if (response.root_der().empty()) return false;
  SP_TRY(auto root, crypto::Certificate::from_der(as_bytes(response.root_der())));
  if (root == trusted) return false;
  SP_TRY(auto cross, crypto::Certificate::from_der(as_bytes(response.root_cross_der())));
  if (auto fits = crypto::check_succession({trusted, std::move(cross)}, root, now); !fits)
    return in_context("P7.7: the relay offers another root", fits.error());
  trusted = std::move(root);
  return true;
}

std::chrono::milliseconds rounded_up(SteadyTime::duration length) {
  return std::chrono::ceil<std::chrono::milliseconds>(length);
}

}  // namespace

struct Renewer::Impl {
  enum class Turn { renew, tell };
  // Installed, and the relay has not been told yet.
  struct Untold {
    std::string serial;
    SteadyTime due;
  };

  IdentityStore& identities;
  RenewalTimes times;
  Random random;
  const Clock& clock;
  const Log& log;
  Event* answered = nullptr;  // while a request waits for its answer
  std::unique_ptr<v1::RenewResponse> answer;
  SteadyTime earliest{};                     // no renewal before, also on a later link
  Event* woken = nullptr;                    // while run() waits for its time
  std::optional<SteadyTime> asked_for = {};  // when the relay wants a renewal
  SteadyTime deaf_until{};                   // for further requests of this kind
  std::optional<Untold> untold = {};         // the jobs may be on another link by then

  std::optional<WallTime> due_time() const;
  asio::awaitable<Turn> wait_until(WallTime due);
  asio::awaitable<void> wait(std::chrono::milliseconds length);
  WallTime note_renewed(const crypto::Certificate& fresh);
  void tell_installed(link::Session& session);
  asio::awaitable<Result<crypto::Certificate>> renew(link::Session& session);
  asio::awaitable<Result<v1::RenewResponse>> ask(link::Session& session, Bytes csr);
  Result<crypto::Certificate> accept(const v1::RenewResponse& response, crypto::PrivateKey key);
};

Renewer::Renewer(IdentityStore& identities, RenewalTimes times, Random random, const Clock& clock, const Log& log)
    : impl_(std::make_unique<Impl>(Impl{identities, times, std::move(random), clock, log})) {}

Renewer::~Renewer() = default;

void Renewer::on_response(const v1::RenewResponse& response) {
  if (!impl_->answered || impl_->answer) return impl_->log.warn("certificate.answer_unasked");
  impl_->answer = std::make_unique<v1::RenewResponse>(response);
  impl_->answered->set();
}

void Renewer::on_renew_now() {
  auto& impl = *impl_;
  const auto now = impl.clock.steady();
  if (now < impl.deaf_until) return;
  impl.deaf_until = now + impl.times.asked_again;
  impl.asked_for = now + std::chrono::milliseconds(
                             static_cast<std::int64_t>(static_cast<double>(impl.times.spread.count()) * impl.random()));
  if (impl.woken) impl.woken->set();
}

std::string Renewer::advice() const {
  const auto current = impl_->identities.load();
  if (!current || impl_->clock.wall() < current->chain[0].not_after()) return "";
  return fmt::format("this agent's certificate ended at {}: if that is so, {}", rfc3339(current->chain[0].not_after()),
                     kHowToEnrolAgain);
}

// For at most `length`; less when the relay asks for a renewal.
asio::awaitable<void> Renewer::Impl::wait(std::chrono::milliseconds length) {
  Event event(co_await asio::this_coro::executor);
  struct Waiting {
    Impl& impl;
    ~Waiting() { impl.woken = nullptr; }
  } waiting{*this};
  woken = &event;
  co_await event.wait_until(std::chrono::steady_clock::now() + length);
}

// Looked at again and again, because the wall clock may jump.
asio::awaitable<Renewer::Impl::Turn> Renewer::Impl::wait_until(WallTime due) {
  for (;;) {
    const auto now = clock.steady();
    if (untold && now >= untold->due) co_return Turn::tell;
    if (asked_for && now >= *asked_for) co_return Turn::renew;
    if (clock.wall() >= due && now >= earliest) co_return Turn::renew;
    auto left = std::max(due - clock.wall(), rounded_up(earliest - now));
    if (asked_for) left = std::min(left, rounded_up(*asked_for - now));
    if (untold) left = std::min(left, rounded_up(untold->due - now));
    co_await wait(std::min<std::chrono::milliseconds>(times.look, left));
  }
}

asio::awaitable<void> Renewer::run(link::Session& session) {
  auto& impl = *impl_;
  Backoff backoff({impl.times.retry_base, impl.times.retry_cap, {}}, impl.random);
  for (auto due = impl.due_time(); due;) {
    if (co_await impl.wait_until(*due) == Impl::Turn::tell) {
      impl.tell_installed(session);
    } else if (const auto renewed = co_await impl.renew(session); renewed) {
      due = impl.note_renewed(*renewed);
    } else {
      impl.log.warn("certificate.not_renewed", {{"problem", renewed.error().message}});
      co_await sleep_for(backoff.next(Setback::refused, impl.times.retry_base));
    }
  }
}

// Nothing: there is no certificate to renew.
std::optional<WallTime> Renewer::Impl::due_time() const {
  const auto current = identities.load();
  if (!current) {
    log.error("certificate.unreadable", {{"problem", current.error().message}});
    return std::nullopt;
  }
  return renewal_time(current->chain[0].not_before(), current->chain[0].not_after(), random());
}

// When the next one is due. One that is due as it comes: this clock is far ahead of the relay's.
WallTime Renewer::Impl::note_renewed(const crypto::Certificate& fresh) {
  const auto now = clock.steady();
  log.info("certificate.renewed", {{"not_after", rfc3339(fresh.not_after())}});
  asked_for.reset();
  untold = Untold{fresh.serial(), now + times.dialling};
  earliest = now + std::max<WallTime::duration>(times.retry_base, least_pause(fresh));
  const auto due = renewal_time(fresh.not_before(), fresh.not_after(), random());
  if (clock.wall() >= due)
    log.warn("clock.ahead", {{"issued_at", rfc3339(fresh.not_before())}, {"clock", rfc3339(clock.wall())}});
  return due;
}

// What cannot be said now is said later, on whichever link has the jobs then.
void Renewer::Impl::tell_installed(link::Session& session) {
  if (!untold) return;
  v1::Control done;
  done.mutable_renew_done()->set_serial(untold->serial);
  if (session.send_control(done)) return untold.reset();
  untold->due = clock.steady() + times.dialling;
}

asio::awaitable<Result<crypto::Certificate>> Renewer::Impl::renew(link::Session& session) {
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

// The new certificate has to be for the new key, for this very agent, and from the root that is trusted or its
// successor.
Result<crypto::Certificate> Renewer::Impl::accept(const v1::RenewResponse& response, crypto::PrivateKey key) {
  if (!response.error().empty())
    return fail(Errc::forbidden, fmt::format("the relay refused the renewal: {}", response.error()));
  SP_TRY(auto current, identities.load());
  SP_TRY(auto leaf, crypto::Certificate::from_der(as_bytes(response.certificate_der())));
  if (response.chain_der_size() != 1) return fail(Errc::invalid, "a renewal with a chain that is not one issuer");
  SP_TRY(auto issuer, crypto::Certificate::from_der(as_bytes(response.chain_der(0))));
  const auto not_after = leaf.not_after();
  if (not_after <= clock.wall())
    return fail(Errc::invalid, fmt::format("a renewal that ended at {}", rfc3339(not_after)));
  SP_TRY(const bool succeeded, take_root(response, current.root, clock.wall()));
  current.key = std::move(key);
  current.chain = {leaf, std::move(issuer)};
  SP_CHECK(identities.install(current));
  if (succeeded)
    log.info("root.succeeded", {{"root", current.root.common_name()}, {"pin", hex(current.root.key_pin())}});
  return leaf;
}

}  // namespace sallyport::agent
