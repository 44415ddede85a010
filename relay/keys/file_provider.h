#pragma once

#include "relay/keys/provider.h"

#include <filesystem>

namespace sallyport::keys {

// The master key in a file (master_key.h), read once. Never suspends.
class FileProvider final : public Provider {
 public:
  FileProvider(std::filesystem::path file, Secret key) : file_(std::move(file)), key_(std::move(key)) {}

  boost::asio::awaitable<Result<Bytes>> wrap(std::string purpose, Secret key) override;
  boost::asio::awaitable<Result<Secret>> unwrap(std::string purpose, Bytes wrapped) override;
  std::string describe() const override { return "file " + file_.string(); }

 private:
  std::filesystem::path file_;
  Secret key_;
};

}  // namespace sallyport::keys
