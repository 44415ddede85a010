#pragma once

#include "shared/base/clock.h"
#include "shared/crypto/x509.h"

#include <span>
#include <string>

namespace sallyport::crypto {

// What somebody who has to trust a server would find wrong with what it shows.
enum class ChainFault {
  none,
  not_trusted,    // no trusted authority stands behind it
  expired,        // it, or an authority above it
  not_yet_valid,  // the same
  other_host,     // it does not name the host
  unsuitable,     // not for servers, a weak signature and the like
  no_store,       // the file of authorities cannot be read
};
struct ChainJudgement {
  ChainFault fault = ChainFault::none;
  std::string text = {};  // libcrypto's words
};

// For telling people why a client library refuses a server, not for deciding: the library does that. `chain` is as
// shown, leaf first; `ca_file` has the trusted authorities in PEM; `host` is a name or an address, empty: any.
ChainJudgement judge_server_chain(std::span<const Certificate> chain, const std::string& ca_file,
                                  const std::string& host, WallTime now);

}  // namespace sallyport::crypto
