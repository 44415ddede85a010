#include "relay/keys/providers/pkcs11_module.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <map>
#include <mutex>

namespace sallyport::keys {
namespace {

constexpr std::chrono::seconds kRestartPause{5};
constexpr long kOwnersOfOne = 2;  // the table of all modules, and the one who uses it

Result<CK_FUNCTION_LIST*> open_library(const std::string& file) {
  void* handle = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = ::dlerror();
    return fail(Errc::not_found, fmt::format("cannot load the PKCS#11 module {}", reason == nullptr ? file : reason));
  }
  const auto list = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(handle, "C_GetFunctionList"));
  CK_FUNCTION_LIST* functions = nullptr;
  if (list == nullptr || list(&functions) != CKR_OK || functions == nullptr) {
    return fail(Errc::invalid, file + " is no PKCS#11 module");
  }
  return functions;
}

std::unexpected<CkError> busy() { return ck_fail(Errc::timed_out, "the module is in a call that does not end"); }

}  // namespace

Result<std::shared_ptr<Pkcs11Module>> Pkcs11Module::load(const std::string& file) {
  static std::mutex loading;
  static std::map<std::string, std::shared_ptr<Pkcs11Module>> modules;
  const std::lock_guard lock(loading);
  if (const auto known = modules.find(file); known != modules.end()) return known->second;
  SP_TRY(auto* const functions, open_library(file));
  return modules[file] = std::shared_ptr<Pkcs11Module>(new Pkcs11Module(functions));
}

CkResult<Pkcs11Module::Use> Pkcs11Module::use(SteadyTime until) {
  while (true) {
    std::shared_lock lock(mutex_, until);
    if (!lock.owns_lock()) return busy();
    if (initialised_) return Use(*this, std::move(lock));
    lock.unlock();
    SP_CHECK(initialise(until));
  }
}

CkResult<> Pkcs11Module::initialise(SteadyTime until) {
  const std::unique_lock lock(mutex_, until);
  if (!lock.owns_lock()) return busy();
  if (initialised_) return {};
  CK_C_INITIALIZE_ARGS arguments{};
  arguments.flags = CKF_OS_LOCKING_OK;
  const CK_RV code = functions_->C_Initialize(&arguments);
  if (code != CKR_CRYPTOKI_ALREADY_INITIALIZED) SP_CHECK(ck_check("C_Initialize", code));
  initialised_ = true;
  ++generation_;
  return {};
}

void Pkcs11Module::restart(const std::shared_ptr<Pkcs11Module>& module, SteadyTime until) {
  const std::unique_lock lock(module->mutex_, until);
  const auto now = std::chrono::steady_clock::now();
  const bool shared = module.use_count() > kOwnersOfOne;
  if (!lock.owns_lock() || !module->initialised_ || (shared && now - module->restarted_ < kRestartPause)) return;
  module->functions_->C_Finalize(nullptr);
  module->initialised_ = false;
  module->restarted_ = now;
}

}  // namespace sallyport::keys
