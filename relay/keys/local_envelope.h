#pragma once

#include "relay/keys/envelope.h"
#include "relay/keys/master_key.h"

namespace sallyport::keys {

// The envelope under one master key in memory. Each record gets a key of its own: HKDF-SHA256(master key, random salt),
// then AES-256-GCM with the record's identity and the header as associated data. Never suspends. Thread-safe.
class LocalEnvelope final : public Envelope {
 public:
  explicit LocalEnvelope(MasterKey key) : key_(std::move(key)) {}

  boost::asio::awaitable<Result<Bytes>> seal(RecordIdentity identity, std::span<const std::byte> plaintext) override;
  boost::asio::awaitable<Result<Secret>> open(RecordIdentity identity, std::span<const std::byte> sealed) override;

 private:
  MasterKey key_;
};

}  // namespace sallyport::keys
