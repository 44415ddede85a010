#include "relay/identity/upkeep.h"

#include "shared/async/timeout.h"

#include <algorithm>

namespace sallyport::identity {

using boost::asio::awaitable;
using std::chrono::hours;

namespace {

std::int64_t days_until(WallTime end, WallTime now) { return std::chrono::floor<std::chrono::days>(end - now).count(); }

}  // namespace

Upkeep::Upkeep(Deployment& deployment, Parts parts)
    : deployment_(deployment),
      parts_(std::move(parts)),
      served_(deployment.server.certificate),
      server_days_(parts_.metrics.gauge("sallyport_server_certificate_days_left",
                                        "Days until the relay's own certificate ends, as of the last look.")),
      issuing_days_(parts_.metrics.gauge("sallyport_issuing_ca_days_left",
                                         "Days until the first of the organisations' issuing certificate authorities "
                                         "ends, as of the last look; while there "
                                         "is none, a new one's.")) {}

awaitable<void> Upkeep::run(hours pause) {
  for (;;) {
    co_await sleep_for(pause);
    pause = co_await check();
  }
}

awaitable<hours> Upkeep::check() {
  if (auto read = read_again(); !read) {
    parts_.log.error("deployment.unreadable", {{"reason", read.error().message}});
  }
  const auto server = co_await check_server();
  const auto issuing = co_await check_issuing_cas();
  co_return server == Came::failed || issuing == Came::failed ? kUpkeepRetry : kUpkeepInterval;
}

Result<void> Upkeep::read_again() {
  SP_TRY(auto fresh, load_deployment(parts_.directory));
  if (fresh.root != deployment_.root || fresh.trust_domain != deployment_.trust_domain) {
    return fail(Errc::invalid, "root certificate or trust domain were replaced while the relay runs; it keeps its own");
  }
  deployment_ = std::move(fresh);
  return {};
}

Upkeep::Came Upkeep::overdue(std::string_view what, const std::string& of, WallTime end, const Error& why) const {
  parts_.log.warn("certificate.renewal_due", {{"certificate", what},
                                              {"of", of},
                                              {"days_left", days_until(end, parts_.clock.wall())},
                                              {"reason", why.message}});
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
  if (certificate != served_) {
    if (auto served = parts_.serve_anew(deployment_); served) {
      served_ = certificate;
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
  auto first_end = parts_.clock.wall() + crypto::kIssuingCaLifetime;  // a new one's
  for (const auto& ca : *all) {
    const auto present = crypto::Certificate::from_der(ca.certificate_der);
    if (!present) {
      parts_.log.error("certificate.not_checked", {{"org", ca.org.value}, {"reason", present.error().message}});
      worst = Came::failed;
      continue;
    }
    auto end = present->not_after();
    if (parts_.clock.wall() >= end - kIssuingCaRenewal) {
      const auto came = co_await renew_issuing_ca(ca.org, *present);
      worst = std::max(worst, came);
      if (came == Came::well) end = parts_.clock.wall() + crypto::kIssuingCaLifetime;
    }
    first_end = std::min(first_end, end);
  }
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
