#pragma once

#include "relay/keys/providers/threaded_provider.h"
#include "relay/outbound/credential_source.h"

#include <string>

namespace sallyport::app {

// A key in a file, read for each call: when the file is taken away, the key is gone; when it is back, so is the key.
class KeyFile final : public keys::BlockingProvider {
 public:
  // `whose`: "the master key".
  KeyFile(std::string path, std::string whose, outbound::CredentialSource<Secret> read)
      : path_(std::move(path)), whose_(std::move(whose)), read_(std::move(read)) {}

  Result<Bytes> wrap(const std::string& purpose, const Secret& key, const outbound::CallThread::Call& call) override;
  Result<Secret> unwrap(const std::string& purpose, const Bytes& wrapped,
                        const outbound::CallThread::Call& call) override;
  std::string describe() const override { return "file " + path_; }

 private:
  std::string path_, whose_;
  outbound::CredentialSource<Secret> read_;
};

}  // namespace sallyport::app
