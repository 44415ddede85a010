#include "relay/identity/upkeep.h"

#include "relay/identity/root_rotation.h"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <utility>

namespace sallyport::identity {

using boost::asio::awaitable;
using std::chrono::seconds;

namespace {

std::int64_t days_until(WallTime end, WallTime now) { return std::chrono::floor<std::chrono::days>(end - now).count(); }

std::optional<crypto::Certificate> old_root_of(const Deployment& deployment) {
  return deployment.predecessor ? std::optional(deployment.predecessor->root) : std::nullopt;
}

// The same root, or the one that it certified as its successor.
bool follows(const Deployment& fresh, const crypto::Certificate& root) {
  return fresh.root == root || old_root_of(fresh) == root;
}

}  // namespace

Upkeep::Upkeep(Deployment& deployment, Parts parts)
    : deployment_(deployment),
      parts_(std::move(parts)),
      served_(deployment.server.certificate),
      root_(deployment.root),
      old_root_(old_root_of(deployment)),
      standby_(deployment.standby),
      server_days_(parts_.metrics.gauge("sallyport_server_certificate_days_left",
                                        "Days until the relay's own certificate ends, as of the last look.")),
      issuing_days_(parts_.metrics.gauge("sallyport_issuing_ca_days_left",
                                         "Days until the first of the organisations' issuing certificate authorities "
                                         "ends, as of the last look; while there "
                                         "is none, a new one's.")) {}

awaitable<void> Upkeep::run(seconds pause) {
  for (;;) {
    co_await wait_for_turn(pause);
    pause = co_await check();
  }
}

void Upkeep::look_now() {
  look_now_ = true;
  if (woken_ != nullptr) woken_->set();
}

awaitable<void> Upkeep::wait_for_turn(seconds pause) {
  Event woken(co_await boost::asio::this_coro::executor);
  struct Waiting {
    Upkeep& upkeep;
    ~Waiting() { upkeep.woken_ = nullptr; }
  } waiting{*this};
  woken_ = &woken;
  if (!look_now_) co_await woken.wait_until(parts_.clock.steady() + pause);
  look_now_ = false;
}

awaitable<seconds> Upkeep::check() {
  const auto read = look_at_directory();
  co_await tell_of_roots();
  const auto server = co_await check_server();
  const auto issuing = co_await check_issuing_cas();
  const auto worst = std::max({read, server, issuing});
  if (worst == Came::busy) co_return kUpkeepBusy;
  co_return worst == Came::failed ? seconds(kUpkeepRetry) : seconds(kUpkeepInterval);
}

Upkeep::Came Upkeep::look_at_directory() {
  const auto read = read_again();
  if (read) return Came::well;
  if (read.error().code == Errc::timed_out) return Came::busy;
  parts_.log.error("deployment.unreadable", {{"reason", read.error().message}});
  return Came::failed;
}

Result<void> Upkeep::read_again() {
  SP_CHECK(settle_deployment(parts_.directory, kNoPatience));
  SP_TRY(auto fresh, load_deployment(parts_.directory));
  if (!follows(fresh, deployment_.root) || fresh.trust_domain != deployment_.trust_domain) {
    return fail(Errc::invalid,
                "root certificate or trust domain were replaced while the relay runs, or the root twice between two "
                "looks; it keeps its own: restart it to take the new ones into use");
  }
  deployment_ = std::move(fresh);
  return {};
}

awaitable<void> Upkeep::tell_of_roots() {
  const auto standby = std::exchange(standby_, deployment_.standby);
  const auto root = std::exchange(root_, deployment_.root);
  const auto old_root = std::exchange(old_root_, old_root_of(deployment_));
  roots_changed_ = roots_changed_ || root != root_ || old_root != old_root_;
  if (standby_ && standby_ != standby) co_await tell("root.prepared", "root.prepare", *standby_);
  if (root != root_) co_await tell("root.switched", "root.switch", root_);
  if (old_root && !old_root_) co_await tell("root.retired", "root.retire", *old_root);
}

awaitable<void> Upkeep::tell(std::string_view event, std::string_view action, crypto::Certificate root) {
  const auto pin = hex(root.key_pin());
  parts_.log.info(event, {{"root", root.common_name()}, {"pin", pin}});
  AuditRecord record{.actor = "system", .action = std::string(action), .target = "root:" + pin};
  const auto recorded = co_await parts_.audit.record(store::system_ledger(), std::move(record));
  if (!recorded) parts_.log.error("audit.failed", {{"reason", recorded.error().message}});
}

Upkeep::Came Upkeep::overdue(std::string_view what, const std::string& of, WallTime end, const Error& why) const {
  parts_.log.warn("certificate.renewal_due", {{"certificate", what},
                                              {"of", of},
                                              {"days_left", days_until(end, parts_.clock.wall())},
                                              {"reason", why.message}});
  if (why.code == Errc::timed_out) return Came::busy;
  return deployment_.root_key ? Came::failed : Came::root_offline;
}

awaitable<Upkeep::Came> Upkeep::check_server() {
  const auto& certificate = deployment_.server.certificate;
  auto came = Came::well;
  if (needs_server_renewal(deployment_, parts_.clock)) {
    auto renewed = renew_server_certificate(parts_.directory, deployment_, {}, parts_.clock);
    if (renewed) {
      deployment_.server = *std::move(renewed);
      AuditRecord record{.actor = "system", .action = "server_certificate.renew", .target = "server"};
      record.detail.emplace("serial", certificate.serial());
      const auto recorded = co_await parts_.audit.record(store::system_ledger(), std::move(record));
      if (!recorded) parts_.log.error("audit.failed", {{"reason", recorded.error().message}});
    } else {
      came = overdue("server", "relay", certificate.not_after(), renewed.error());
    }
  }
  if (certificate != served_ || roots_changed_) {
    if (auto served = parts_.serve_anew(deployment_); served) {
      served_ = certificate;
      roots_changed_ = false;
      parts_.log.info("certificate.renewed", {{"certificate", "server"}, {"serial", certificate.serial()}});
    } else {
      parts_.log.error("certificate.not_served", {{"reason", served.error().message}});
      came = Came::failed;
    }
  }
  server_days_.set(days_until(certificate.not_after(), parts_.clock.wall()));
  co_return came;
}

awaitable<Upkeep::Came> Upkeep::check_issuing_cas() {
  auto all = co_await parts_.cas.load_all();
  if (!all) {
    parts_.log.error("certificate.not_checked", {{"reason", all.error().message}});
    co_return Came::failed;
  }
  auto worst = Came::well;
  bool moved = false;
  auto first_end = parts_.clock.wall() + crypto::kIssuingCaLifetime;  // a new one's
  for (const auto& ca : *all) {
    const auto present = crypto::Certificate::from_der(ca.certificate_der);
    if (!present) {
      parts_.log.error("certificate.not_checked", {{"org", ca.org.value}, {"reason", present.error().message}});
      worst = Came::failed;
      continue;
    }
    auto end = present->not_after();
    const bool of_another_root = !present->signed_by(deployment_.root);
    const auto now = parts_.clock.wall();
    if (of_another_root || now < present->not_before() || now >= end - kIssuingCaRenewal) {
      const auto came = co_await renew_issuing_ca(ca.org, *present);
      worst = std::max(worst, came);
      moved = moved || (of_another_root && came == Came::well);
      if (came == Came::well) end = parts_.clock.wall() + crypto::kIssuingCaLifetime;
    }
    first_end = std::min(first_end, end);
  }
  if (moved && parts_.lead_agents) parts_.lead_agents();
  issuing_days_.set(days_until(first_end, parts_.clock.wall()));
  co_return worst;
}

awaitable<Upkeep::Came> Upkeep::renew_issuing_ca(OrgId org, crypto::Certificate present) {
  AuditRecord record{.actor = "system", .action = "issuing_ca.renew", .target = "organisation:" + org.value};
  record.detail.emplace("old_serial", present.serial());
  const auto renewed = co_await parts_.authority.renew(org, present, parts_.audit.note<>(org, std::move(record)));
  if (!renewed) co_return overdue("issuing CA", org.value, present.not_after(), renewed.error());
  parts_.log.info("certificate.renewed", {{"certificate", "issuing CA"}, {"org", org.value}});
  co_return Came::well;
}

}  // namespace sallyport::identity
