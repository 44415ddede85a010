#pragma once

#include "shared/sealing/statement.h"
#include "tests/support/pki.h"

#include <memory>

// Agents with sealing keys. Link shared/sealing.
namespace sallyport::test {

struct SealingAgent {
  AgentKeyPair identity;
  crypto::PrivateKey key = must(crypto::PrivateKey::generate());

  sealing::Statement statement(sealing::Generation generation = 1) const {
    return must(sealing::make_statement(identity.id, generation, key, identity.key,
                                        {identity.chain.at(0), identity.chain.at(1)}));
  }
};

}  // namespace sallyport::test
