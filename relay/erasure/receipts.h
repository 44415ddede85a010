#pragma once

#include "relay/keys/envelope.h"
#include "relay/store/erasures.h"
#include "shared/base/clock.h"
#include "shared/base/value.h"

namespace sallyport::erasure {

// Signs receipts with the deployment's Ed25519 key, which is made when it is needed first and lies sealed in the
// database. Errors: those of the envelope and the store.
class Receipts {
 public:
  Receipts(store::Erasures& store, keys::Envelope& envelope, const Clock& clock)
      : store_(store), envelope_(envelope), clock_(clock) {}

  boost::asio::awaitable<Result<Value>> sign(Value document);  // shared/crypto/signed_document.h
  boost::asio::awaitable<Result<Bytes>> public_key();

 private:
  boost::asio::awaitable<Result<store::ReceiptKey>> key();
  boost::asio::awaitable<Result<void>> make_key();

  store::Erasures& store_;
  keys::Envelope& envelope_;
  const Clock& clock_;
};

}  // namespace sallyport::erasure
