#pragma once

#include <p11-kit/pkcs11.h>

#include <atomic>

// What the module in faulty_pkcs11.cc does beside SoftHSM's work. Its symbol "sallyport_pkcs11_faults" is one of these.
struct Pkcs11Faults {
  std::atomic<bool> hang = false;         // C_EncryptInit and C_DecryptInit do not come back until it is false again
  std::atomic<CK_RV> init_code = CKR_OK;  // what they return instead, `init_times` times
  std::atomic<int> init_times = 0;
  std::atomic<CK_RV> decrypt_code = CKR_OK;  // what C_Decrypt returns instead of a success
  std::atomic<CK_FLAGS> token_flags = 0;     // added to every token's
  std::atomic<int> logins = 0;               // how often C_Login was called
  std::atomic<int> initialised = 0;          // how often C_Initialize was
  std::atomic<CK_ULONG> locking = 0;         // the flags of its last call
};
