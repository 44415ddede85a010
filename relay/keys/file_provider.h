#pragma once

#include "relay/keys/locked_memory.h"
#include "relay/keys/provider.h"

#include <filesystem>
#include <memory>

namespace sallyport::keys {

// A master key that the caller has read or made, in locked memory: of a store that is founded. Never suspends.
class FileProvider final : public Provider {
 public:
  // Errc::invalid: not 32 bytes. Errc::exhausted: no memory may be locked.
  static Result<FileProvider> make(std::filesystem::path file, const Secret& key);

  boost::asio::awaitable<Result<Bytes>> wrap(std::string purpose, Secret key) override;
  boost::asio::awaitable<Result<Secret>> unwrap(std::string purpose, Bytes wrapped) override;
  std::string describe() const override { return "file " + file_.string(); }

 private:
  FileProvider(std::filesystem::path file, std::unique_ptr<LockedMemory> memory, LockedKey key)
      : file_(std::move(file)), memory_(std::move(memory)), key_(std::move(key)) {}

  std::filesystem::path file_;
  std::unique_ptr<LockedMemory> memory_;  // outlives the key in it
  LockedKey key_;
};

}  // namespace sallyport::keys
