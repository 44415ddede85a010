#pragma once

#include "relay/audit/audit.h"
#include "relay/keys/envelope.h"
#include "relay/store/erasures.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/value.h"

#include <optional>
#include <string>

namespace sallyport::erasure {

// Signs receipts with the deployment's Ed25519 key, which is made when it is needed first and lies sealed in the
// database. One whose own key was given up with a lost keys.db is replaced when it is needed; its public half stays,
// for what it signed. Errors: those of the envelope and the store.
class Receipts {
 public:
  struct Parts {
    store::Erasures& store;
    keys::Envelope& envelope;
    const Clock& clock;
    Audit& audit;
    const Log& log;
  };
  explicit Receipts(Parts parts) : parts_(parts) {}

  boost::asio::awaitable<Result<Value>> sign(Value document);  // shared/crypto/signed_document.h
  // Of the key with this id; "": that signs now. not_found: there is none.
  boost::asio::awaitable<Result<Bytes>> public_key(std::string id = {});

 private:
  struct Usable {
    store::ReceiptKey stored;
    Result<Secret> seed;  // an error: it cannot be had now
  };
  boost::asio::awaitable<Result<Usable>> usable();
  boost::asio::awaitable<Result<void>> make_key(std::optional<store::ReceiptKey> lost, std::string why);

  Parts parts_;
};

}  // namespace sallyport::erasure
