// A PKCS#11 module for tests: SoftHSM, which does all the work, with faults in front of it (faults.h).
#include "tests/support/faulty_pkcs11/faults.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <thread>

namespace {

CK_FUNCTION_LIST* real = nullptr;
CK_FUNCTION_LIST ours;
Pkcs11Faults faults;

// For programs that cannot reach `faults`: while that file is there, no key may be used.
bool is_forbidden() {
  const char* file = ::getenv("SALLYPORT_PKCS11_FORBIDDEN");
  return file != nullptr && ::access(file, F_OK) == 0;
}

CK_RV init_fault() {
  if (is_forbidden()) return CKR_KEY_FUNCTION_NOT_PERMITTED;
  while (faults.hang) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  int left = faults.init_times;
  while (left > 0 && !faults.init_times.compare_exchange_weak(left, left - 1)) {
  }
  return left > 0 ? faults.init_code.load() : CKR_OK;
}

CK_RV encrypt_init(CK_SESSION_HANDLE session, CK_MECHANISM* mechanism, CK_OBJECT_HANDLE key) {
  const CK_RV code = init_fault();
  return code != CKR_OK ? code : real->C_EncryptInit(session, mechanism, key);
}

CK_RV decrypt_init(CK_SESSION_HANDLE session, CK_MECHANISM* mechanism, CK_OBJECT_HANDLE key) {
  const CK_RV code = init_fault();
  return code != CKR_OK ? code : real->C_DecryptInit(session, mechanism, key);
}

CK_RV decrypt(CK_SESSION_HANDLE session, CK_BYTE_PTR sealed, CK_ULONG sealed_size, CK_BYTE_PTR plain,
              CK_ULONG_PTR size) {
  const CK_RV code = real->C_Decrypt(session, sealed, sealed_size, plain, size);
  return faults.decrypt_code != CKR_OK ? faults.decrypt_code.load() : code;
}

CK_RV token_info(CK_SLOT_ID slot, CK_TOKEN_INFO* info) {
  const CK_RV code = real->C_GetTokenInfo(slot, info);
  if (code == CKR_OK) info->flags |= faults.token_flags;
  return code;
}

CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_BYTE_PTR pin, CK_ULONG size) {
  ++faults.logins;
  return real->C_Login(session, user, pin, size);
}

CK_RV initialize(void* arguments) {
  ++faults.initialised;
  faults.locking = arguments != nullptr ? static_cast<CK_C_INITIALIZE_ARGS*>(arguments)->flags : 0;
  return real->C_Initialize(arguments);
}

}  // namespace

extern "C" {

extern Pkcs11Faults* const sallyport_pkcs11_faults;
__attribute__((visibility("default"))) Pkcs11Faults* const sallyport_pkcs11_faults = &faults;

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
  if (real == nullptr) {
    void* library = ::dlopen("/usr/lib/softhsm/libsofthsm2.so", RTLD_NOW | RTLD_LOCAL);
    const auto get =
        library == nullptr ? nullptr : reinterpret_cast<CK_C_GetFunctionList>(::dlsym(library, "C_GetFunctionList"));
    if (get == nullptr || get(&real) != CKR_OK) return CKR_GENERAL_ERROR;
    ours = *real;
    ours.C_GetFunctionList = C_GetFunctionList;
    ours.C_Initialize = initialize;
    ours.C_GetTokenInfo = token_info;
    ours.C_Login = login;
    ours.C_EncryptInit = encrypt_init;
    ours.C_DecryptInit = decrypt_init;
    ours.C_Decrypt = decrypt;
  }
  *list = &ours;
  return CKR_OK;
}
}
