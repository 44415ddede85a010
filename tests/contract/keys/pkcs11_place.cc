#include "tests/contract/keys/pkcs11_place.h"

#include "tests/support/pki.h"
#include "tests/support/temp_dir.h"

#include <dlfcn.h>
#include <stdlib.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

namespace sallyport::test {
namespace {

const std::string kUserPin = "user-pin-of-the-test";
const std::string kOwnerPin = "owner-pin-of-the-test";

// SoftHSM reads where its tokens are when it is initialised.
const TempDir& softhsm() {
  static const TempDir dir;
  static const bool configured = [] {
    std::filesystem::create_directory(dir.path("tokens"));
    const auto file =
        dir.write("softhsm2.conf", "directories.tokendir = " + dir.path("tokens") +
                                       "\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n");
    return ::setenv("SOFTHSM2_CONF", file.c_str(), 1) == 0;
  }();
  if (!configured) throw std::runtime_error("SoftHSM cannot be configured");
  return dir;
}

struct Module {
  Module() {
    softhsm();
    void* library = ::dlopen(FAULTY_PKCS11, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) throw std::runtime_error(::dlerror());
    faults = *static_cast<Pkcs11Faults**>(::dlsym(library, "sallyport_pkcs11_faults"));
    const auto list = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(library, "C_GetFunctionList"));
    if (list(&functions) != CKR_OK) throw std::runtime_error("SoftHSM cannot be loaded: is softhsm2 installed?");
  }
  Pkcs11Faults* faults;
  CK_FUNCTION_LIST* functions;
};

Module& module() {
  static Module loaded;
  return loaded;
}

void ok(const char* what, CK_RV code) {
  if (code != CKR_OK) throw std::runtime_error(std::string(what) + ": " + std::to_string(code));
}

CK_BYTE_PTR bytes_of(const std::string& text) { return reinterpret_cast<CK_BYTE_PTR>(const_cast<char*>(text.data())); }

void initialise(CK_FUNCTION_LIST& functions) {
  CK_C_INITIALIZE_ARGS arguments{};
  arguments.flags = CKF_OS_LOCKING_OK;
  const CK_RV code = functions.C_Initialize(&arguments);
  if (code != CKR_CRYPTOKI_ALREADY_INITIALIZED) ok("C_Initialize", code);
}

std::vector<CK_SLOT_ID> slots_of(CK_FUNCTION_LIST& functions) {
  CK_ULONG count = 0;
  ok("C_GetSlotList", functions.C_GetSlotList(CK_FALSE, nullptr, &count));
  std::vector<CK_SLOT_ID> slots(count);
  ok("C_GetSlotList", functions.C_GetSlotList(CK_FALSE, slots.data(), &count));
  slots.resize(count);
  return slots;
}

std::string padded(std::string label) {
  label.resize(32, ' ');
  return label;
}

// Of the token with this label; of one that has none yet for "".
CK_SLOT_ID slot_of(CK_FUNCTION_LIST& functions, const std::string& label) {
  for (const auto slot : slots_of(functions)) {
    CK_TOKEN_INFO info{};
    if (functions.C_GetTokenInfo(slot, &info) != CKR_OK) continue;
    const bool fresh = (info.flags & CKF_TOKEN_INITIALIZED) == 0;
    const std::string name(reinterpret_cast<const char*>(info.label), sizeof(info.label));
    if (label.empty() ? fresh : !fresh && name == padded(label)) return slot;
  }
  throw std::runtime_error("no token " + label);
}

std::set<std::string> folders_of_tokens() {
  std::set<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(softhsm().path("tokens")))
    found.insert(entry.path().string());
  return found;
}

void make_token(CK_FUNCTION_LIST& functions, const std::string& label) {
  initialise(functions);
  ok("C_InitToken",
     functions.C_InitToken(slot_of(functions, ""), bytes_of(kOwnerPin), kOwnerPin.size(), bytes_of(padded(label))));
  CK_SESSION_HANDLE session = 0;
  ok("C_OpenSession", functions.C_OpenSession(slot_of(functions, label), CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr,
                                              nullptr, &session));
  ok("C_Login", functions.C_Login(session, CKU_SO, bytes_of(kOwnerPin), kOwnerPin.size()));
  ok("C_InitPIN", functions.C_InitPIN(session, bytes_of(kUserPin), kUserPin.size()));
  ok("C_CloseSession", functions.C_CloseSession(session));
}

}  // namespace

std::string token_folder() { return softhsm().path("tokens"); }

Pkcs11Place::Pkcs11Place() : faults(*module().faults) {
  static int made = 0;
  label = "token " + std::to_string(++made);
  const auto before = folders_of_tokens();
  make_token(*module().functions, label);
  for (const auto& folder : folders_of_tokens()) {
    if (!before.contains(folder)) folder_ = folder;
  }
  must(keys::make_pkcs11_key(config("main")));
  must(keys::make_pkcs11_key(config("other")));
  faults.logins = 0;
}

Pkcs11Place::~Pkcs11Place() { heal(); }

keys::Pkcs11Config Pkcs11Place::config(const std::string& key) const {
  keys::Pkcs11Config config;
  config.module = FAULTY_PKCS11;
  config.token = label;
  config.key = key;
  config.pin = outbound::always(Secret::take(std::string(kUserPin)));
  return config;
}

std::unique_ptr<keys::Provider> Pkcs11Place::provider(std::string key, std::chrono::milliseconds deadline) {
  auto made = config(key);
  made.deadline = deadline;
  return must(keys::make_pkcs11(std::move(made)));
}

void Pkcs11Place::stop() { std::filesystem::rename(folder_, softhsm().path("away")); }

void Pkcs11Place::garble() {
  faults.init_code = CKR_VENDOR_DEFINED | 0x17;
  faults.init_times = 1 << 20;
}

void Pkcs11Place::heal() {
  if (std::filesystem::exists(softhsm().path("away"))) std::filesystem::rename(softhsm().path("away"), folder_);
  faults.init_times = 0;
  faults.decrypt_code = CKR_OK;
  faults.token_flags = 0;
  faults.hang = false;
}

void Pkcs11Place::as_owner(const std::function<void(CK_FUNCTION_LIST&, CK_SESSION_HANDLE)>& work) const {
  auto& functions = *module().functions;
  initialise(functions);
  CK_SESSION_HANDLE session = 0;
  ok("C_OpenSession", functions.C_OpenSession(slot_of(functions, label), CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr,
                                              nullptr, &session));
  const CK_RV code = functions.C_Login(session, CKU_USER, bytes_of(kUserPin), kUserPin.size());
  if (code != CKR_USER_ALREADY_LOGGED_IN) ok("C_Login", code);
  work(functions, session);
  ok("C_CloseSession", functions.C_CloseSession(session));
}

CK_OBJECT_HANDLE Pkcs11Place::find(CK_FUNCTION_LIST& functions, CK_SESSION_HANDLE session,
                                   const std::string& key) const {
  std::array wanted{CK_ATTRIBUTE{CKA_LABEL, bytes_of(key), key.size()}};
  CK_OBJECT_HANDLE found = CK_INVALID_HANDLE;
  CK_ULONG count = 0;
  ok("C_FindObjectsInit", functions.C_FindObjectsInit(session, wanted.data(), wanted.size()));
  ok("C_FindObjects", functions.C_FindObjects(session, &found, 1, &count));
  ok("C_FindObjectsFinal", functions.C_FindObjectsFinal(session));
  if (count != 1) throw std::runtime_error("no key " + key);
  return found;
}

void Pkcs11Place::remove_key(const std::string& key) const {
  as_owner([&](CK_FUNCTION_LIST& functions, CK_SESSION_HANDLE session) {
    ok("C_DestroyObject", functions.C_DestroyObject(session, find(functions, session, key)));
  });
}

void Pkcs11Place::allow_use(const std::string& key, CK_BBOOL allowed) const {
  as_owner([&](CK_FUNCTION_LIST& functions, CK_SESSION_HANDLE session) {
    std::array uses{CK_ATTRIBUTE{CKA_ENCRYPT, &allowed, sizeof(allowed)},
                    CK_ATTRIBUTE{CKA_DECRYPT, &allowed, sizeof(allowed)}};
    ok("C_SetAttributeValue",
       functions.C_SetAttributeValue(session, find(functions, session, key), uses.data(), uses.size()));
  });
}

std::unique_ptr<Place> pkcs11_place() { return std::make_unique<Pkcs11Place>(); }

}  // namespace sallyport::test
