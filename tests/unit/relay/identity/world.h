#pragma once

#include "relay/identity/admission.h"
#include "relay/identity/enrolment.h"
#include "relay/identity/renewal.h"
#include "relay/identity/revocations.h"
#include "relay/store/sqlite/sqlite_store.h"
#include "shared/crypto/aead.h"
#include "tests/support/async_test.h"
#include "tests/support/pki.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

// The identity services over a real SQLite store, with an envelope that can be told to fail.
namespace sallyport::test {

using boost::asio::awaitable;

class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class TestEnvelope final : public keys::Envelope {
 public:
  awaitable<Result<keys::NewJobKeys>> make_job_keys(OrgId org, JobId job, domain::JobRetention retention) override;
  awaitable<Result<Bytes>> seal(keys::RecordIdentity identity, std::span<const std::byte> plaintext) override;
  awaitable<Result<Bytes>> seal_new(const keys::NewJobKeys& keys, keys::RecordIdentity identity,
                                    std::span<const std::byte> plaintext) override;
  awaitable<Result<Secret>> open(keys::RecordIdentity identity, std::span<const std::byte> sealed) override;
  bool broken = false;

 private:
  Secret key_ = crypto::new_aead_key();
};

struct Tenant {
  OrgId org;
  UserId owner;
  GroupId group;
};

// What an agent brings to its enrolment.
struct Applicant {
  crypto::PrivateKey key = must(crypto::PrivateKey::generate());
  Bytes exporter = crypto::random_bytes(crypto::kEnrolmentExporterSize);
};

struct IdentityWorld {
  explicit IdentityWorld(bool root_online = true);

  awaitable<Tenant> settle(std::string name);
  awaitable<crypto::EnrolmentString> token(Tenant tenant, std::uint32_t max_uses = 1);
  identity::EnrolmentAsk ask(const crypto::EnrolmentString& parts, const Applicant& applicant) const;
  awaitable<identity::Enrolled> enrol(Tenant tenant, const Applicant& applicant);  // must succeed
  tls::PeerIdentity peer_of(const identity::Enrolled& enrolled) const;
  awaitable<std::vector<std::string>> audited(OrgId org);  // the JSON of each event, newest first

  std::filesystem::path database() const { return folder.path() / "relay.db"; }

  TempFolder folder;
  MovableClock clock;
  identity::Deployment deployment;
  std::unique_ptr<store::SqliteStore> engine;
  store::Stores stores;
  TestEnvelope envelope;
  Audit audit;
  Metrics metrics;
  identity::AgentAuthority authority;
  identity::Enrolments enrolments;
  identity::Renewals renewals;
  identity::Admissions admissions;
  identity::Revocations revocations;
};

bool mentions(const std::vector<std::string>& events, std::initializer_list<std::string_view> words);

}  // namespace sallyport::test
