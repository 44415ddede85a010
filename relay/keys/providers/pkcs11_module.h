#pragma once

#include "relay/keys/providers/pkcs11_error.h"
#include "shared/base/clock.h"

#include <memory>
#include <shared_mutex>
#include <string>

namespace sallyport::keys {

// A PKCS#11 module (a shared library of a token's maker), initialised for calls of several threads. There is one of
// each file for the whole process, because the library's own state is the process's; it is never unloaded.
class Pkcs11Module {
 public:
  // Errors: not_found, with the loader's reason; invalid: it is no such module.
  static Result<std::shared_ptr<Pkcs11Module>> load(const std::string& file);

  // Calls into the module are made while one of these is held. Handles belong to the generation they were made in.
  class Use {
   public:
    CK_FUNCTION_LIST* operator->() const { return functions_; }
    unsigned generation() const { return generation_; }

   private:
    friend class Pkcs11Module;
    Use(Pkcs11Module& module, std::shared_lock<std::shared_timed_mutex> lock)
        : lock_(std::move(lock)), functions_(module.functions_), generation_(module.generation_) {}
    std::shared_lock<std::shared_timed_mutex> lock_;
    CK_FUNCTION_LIST* functions_;
    unsigned generation_;
  };
  // Initialises the module unless it is. Errors: unavailable, also when another's call hangs until `until`.
  CkResult<Use> use(SteadyTime until);

  // Finalises the module once nobody uses it, at `until` at the latest, so that the next use() starts it afresh: many
  // modules find a token that was away only so. All handles of it are void then. Not within 5 s of the last time
  // when `module` has more owners than one: they have to open everything anew.
  static void restart(const std::shared_ptr<Pkcs11Module>& module, SteadyTime until);

 private:
  explicit Pkcs11Module(CK_FUNCTION_LIST* functions) : functions_(functions) {}
  CkResult<> initialise(SteadyTime until);

  CK_FUNCTION_LIST* functions_;
  std::shared_timed_mutex mutex_;  // held shared by every use
  bool initialised_ = false;
  unsigned generation_ = 0;
  SteadyTime restarted_{};
};

}  // namespace sallyport::keys
