#pragma once

#include "relay/keys/providers/pkcs11.h"
#include "tests/contract/keys/place.h"
#include "tests/support/faulty_pkcs11/faults.h"

#include <functional>

namespace sallyport::test {

// A new token of SoftHSM, in a folder that this process has for its tokens, with keys "main" and "other"; behind a
// module that has faults on demand.
class Pkcs11Place final : public Place {
 public:
  Pkcs11Place();
  ~Pkcs11Place() override;
  keys::Pkcs11Config config(const std::string& key = "main") const;

  std::unique_ptr<keys::Provider> provider(std::string key, std::chrono::milliseconds deadline) override;
  void revoke() override { allow_use("main", CK_FALSE); }
  void restore() override { allow_use("main", CK_TRUE); }
  void slow() override { faults.hang = true; }
  void stop() override;  // the token's folder is moved away
  void garble() override;
  void heal() override;
  std::vector<std::string> credentials() const override { return {"user-pin-of-the-test"}; }

  // Calls as the token's owner, logged in.
  void as_owner(const std::function<void(CK_FUNCTION_LIST&, CK_SESSION_HANDLE)>& work) const;
  CK_OBJECT_HANDLE find(CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session, const std::string& key) const;
  void remove_key(const std::string& key) const;

  Pkcs11Faults& faults;
  std::string label;

 private:
  void allow_use(const std::string& key, CK_BBOOL allowed) const;

  std::string folder_;  // of the token
};

// SoftHSM's configuration and all of its tokens, of this process.
std::string token_folder();

}  // namespace sallyport::test
