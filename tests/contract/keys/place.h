#pragma once

#include "relay/keys/provider.h"

#include <catch2/catch.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace sallyport::test {

// Where a key is kept, as its owner sees it: what the suite of all providers needs beside the provider.
class Place {
 public:
  virtual ~Place() = default;
  // A provider of the key "main", or of "other", which another provider in the same place has.
  virtual std::unique_ptr<keys::Provider> provider(std::string key, std::chrono::milliseconds deadline) = 0;
  std::unique_ptr<keys::Provider> main() { return provider("main", std::chrono::seconds(10)); }
  virtual void revoke() = 0;   // the key "main" may not be used from now on
  virtual void restore() = 0;  // as before revoke()
  virtual void slow() = 0;     // answers after minutes, until heal()
  virtual void stop() = 0;     // is not there, until heal()
  virtual void garble() = 0;   // answers nonsense, until heal()
  virtual void heal() = 0;
  virtual std::vector<std::string> credentials() const = 0;  // none of which may be said
};

std::unique_ptr<Place> aws_place();
std::unique_ptr<Place> vault_place();
std::unique_ptr<Place> pkcs11_place();

// A new one of each kind, for every run of the test.
inline std::unique_ptr<Place> any_place() {
  using Make = std::unique_ptr<Place> (*)();
  const auto [name, make] = GENERATE(
      table<std::string, Make>({{"AWS KMS", aws_place}, {"Vault Transit", vault_place}, {"PKCS#11", pkcs11_place}}));
  UNSCOPED_INFO(name);
  return make();
}

}  // namespace sallyport::test
