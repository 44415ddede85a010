#include "tests/unit/relay/identity/world.h"

#include "tests/support/async_test.h"

#include <unistd.h>
#include <algorithm>

#include <atomic>

namespace sallyport::test {
namespace {

Bytes associated(const keys::RecordIdentity& identity) {
  const auto text = identity.org.value + "/" + identity.table + "/" + identity.column + "/" + identity.record;
  const auto bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

identity::Deployment make_deployment(const std::filesystem::path& folder, const Clock& clock, bool root_online) {
  auto made = must(identity::create_deployment(folder / "ca", {"relay.test", {"relay.test", "127.0.0.1"}}, clock));
  if (root_online) return made;
  std::filesystem::remove(folder / "ca" / "root.key");
  return must(identity::load_deployment(folder / "ca"));
}

}  // namespace

TempFolder::TempFolder() {
  static std::atomic<int> count = 0;
  path_ = std::filesystem::temp_directory_path() /
          ("sallyport-identity-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
  std::filesystem::create_directories(path_);
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

awaitable<Result<keys::NewJobKeys>> TestEnvelope::make_job_keys(OrgId org, JobId job, domain::JobRetention) {
  co_return keys::NewJobKeys{.org = std::move(org), .job = std::move(job), .wrapped = {}, .payload = {}, .logs = {}};
}

awaitable<Result<Bytes>> TestEnvelope::seal_new(const keys::NewJobKeys&, keys::RecordIdentity identity,
                                                std::span<const std::byte> plaintext) {
  return seal(std::move(identity), plaintext);
}

awaitable<Result<Bytes>> TestEnvelope::seal(keys::RecordIdentity identity, std::span<const std::byte> plaintext) {
  if (broken) co_return fail(Errc::unavailable, "planted: no key");
  co_return crypto::seal(key_, plaintext, associated(identity));
}

awaitable<Result<Secret>> TestEnvelope::open(keys::RecordIdentity identity, std::span<const std::byte> sealed) {
  if (broken) co_return fail(Errc::unavailable, "planted: no key");
  co_return crypto::open(key_, sealed, associated(identity));
}

IdentityWorld::IdentityWorld(bool root_online)
    : deployment(make_deployment(folder.path(), clock, root_online)),
      engine(must(store::SqliteStore::open({.file = database()}))),
      stores(engine->stores()),
      audit(stores.audit_log, clock),
      authority(deployment, stores.issuing_cas, envelope, clock),
      enrolments({stores.enrolment_tokens, stores.groups, stores.agents, authority, envelope, audit, metrics},
                 {"relay.test", 8443, "https://relay.test"}, clock),
      renewals(authority, stores.certificates, audit, clock),
      admissions(stores.agents, stores.certificates, audit, clock),
      revocations(stores.agents, stores.certificates, clock) {}

awaitable<Tenant> IdentityWorld::settle(std::string name) {
  Tenant tenant{crypto::new_id<OrgId>(clock), crypto::new_id<UserId>(clock), crypto::new_id<GroupId>(clock)};
  must(co_await stores.organisations.add({tenant.org, name, clock.wall()}));
  must(co_await stores.users.add(tenant.org, {tenant.owner, tenant.org, "Owner", "owner@" + name, domain::Role::owner,
                                              domain::PlatformRights::none, clock.wall()}));
  must(co_await stores.groups.add(tenant.org, {tenant.group, tenant.org, "dc1", clock.wall()}));
  co_return tenant;
}

awaitable<crypto::EnrolmentString> IdentityWorld::token(Tenant tenant, std::uint32_t max_uses) {
  identity::TokenOrder order{.group = tenant.group, .created_by = tenant.owner, .max_uses = max_uses};
  const auto made = must(co_await enrolments.make_token(tenant.org, order));
  co_return must(crypto::parse_enrolment_string(made.text.reveal()));
}

identity::EnrolmentAsk IdentityWorld::ask(const crypto::EnrolmentString& parts, const Applicant& applicant) const {
  auto csr = must(crypto::make_signing_request(applicant.key));
  const auto proof = crypto::enrolment_proof(parts.secret, applicant.exporter, csr);
  return {.token_id = parts.token.value,
          .csr_der = std::move(csr),
          .proof = Bytes(proof.begin(), proof.end()),
          .hostname = "erp1",
          .software = "sallyport-agent/0.1.0",
          .from_address = "192.0.2.7:40000",
          .source = "192.0.2.7"};
}

awaitable<identity::Enrolled> IdentityWorld::enrol(Tenant tenant, const Applicant& applicant) {
  const auto parts = co_await token(tenant);
  auto enrolled = co_await enrolments.redeem(ask(parts, applicant), applicant.exporter);
  if (!enrolled) throw std::runtime_error(enrolled.error().message);
  co_return *std::move(enrolled);
}

tls::PeerIdentity IdentityWorld::peer_of(const identity::Enrolled& enrolled) const {
  const std::vector chain{enrolled.certificate, enrolled.chain.front(), enrolled.root};
  auto peer = tls::check_agent_chain(chain, enrolled.trust_domain);
  if (!peer) throw std::runtime_error(peer.error().error.message);
  return *std::move(peer);
}

awaitable<std::vector<std::string>> IdentityWorld::audited(OrgId org) {
  const auto page = must(co_await stores.audit_log.list(std::move(org), {}, {.limit = 200}));
  std::vector<std::string> events;
  for (const auto& row : page.items) events.push_back(store::whole_json(row.event));
  co_return events;
}

bool mentions(const std::vector<std::string>& events, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(events, [&](const std::string& event) {
    return std::ranges::all_of(words, [&](auto word) { return event.find(word) != std::string::npos; });
  });
}

}  // namespace sallyport::test
