#pragma once

#include "relay/keys/envelope.h"
#include "relay/keys/hierarchy.h"
#include "relay/keys/sealed_record.h"
#include "relay/store/job_keys.h"

namespace sallyport::keys {

// The envelope over the key hierarchy: every field in two layers, the inner one under the key that its class names, the
// outer one under the global key. One executor.
class LayeredEnvelope final : public Envelope {
 public:
  LayeredEnvelope(Hierarchy& keys, store::JobKeys& job_keys) : keys_(keys), job_keys_(job_keys) {}

  boost::asio::awaitable<Result<NewJobKeys>> make_job_keys(OrgId org, JobId job,
                                                           domain::JobRetention retention) override;
  boost::asio::awaitable<Result<Bytes>> seal(RecordIdentity identity, std::span<const std::byte> plaintext) override;
  boost::asio::awaitable<Result<Bytes>> seal_new(const NewJobKeys& keys, RecordIdentity identity,
                                                 std::span<const std::byte> plaintext) override;
  boost::asio::awaitable<Result<Secret>> open(RecordIdentity identity, std::span<const std::byte> sealed) override;

  // The same standing field under these versions. Errors: those of open() and seal().
  boost::asio::awaitable<Result<Bytes>> seal_anew(RecordIdentity identity, std::span<const std::byte> sealed,
                                                  StandingVersions to);

 private:
  struct Inner {
    SharedKey key;
    std::uint32_t number = 0;
  };
  boost::asio::awaitable<Result<Inner>> inner_to_seal(const RecordIdentity& identity);
  boost::asio::awaitable<Result<SharedKey>> inner_to_open(const RecordIdentity& identity, std::uint32_t number);
  boost::asio::awaitable<Result<SharedKey>> job_key(OrgId org, JobId job, KeyClass kind);
  boost::asio::awaitable<Result<HeldKey>> fetch_job_key(OrgId org, JobId job, KeyClass kind);
  boost::asio::awaitable<Result<void>> add_job_key(NewJobKeys& keys, LockedKey& key, store::RetentionLane lane,
                                                   store::Hour hour);

  Hierarchy& keys_;
  store::JobKeys& job_keys_;
};

}  // namespace sallyport::keys
