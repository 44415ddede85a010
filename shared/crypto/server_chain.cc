#include "shared/crypto/server_chain.h"

#include "shared/crypto/openssl.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

namespace sallyport::crypto {
namespace {

using StoreOwner = std::unique_ptr<X509_STORE, FreeWith<X509_STORE_free>>;
using ContextOwner = std::unique_ptr<X509_STORE_CTX, FreeWith<X509_STORE_CTX_free>>;
using StackOwner = std::unique_ptr<STACK_OF(X509), decltype([](STACK_OF(X509) * stack) { sk_X509_free(stack); })>;

ChainFault fault_of(int error) {
  switch (error) {
    case X509_V_OK: return ChainFault::none;
    case X509_V_ERR_CERT_HAS_EXPIRED: return ChainFault::expired;
    case X509_V_ERR_CERT_NOT_YET_VALID: return ChainFault::not_yet_valid;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return ChainFault::other_host;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE: return ChainFault::not_trusted;
    default: return ChainFault::unsuitable;
  }
}

bool demand(X509_STORE_CTX* context, const std::string& host, WallTime now) {
  auto* rules = X509_STORE_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_time(rules, static_cast<time_t>(unix_ms(now) / 1000));
  X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_PARTIAL_CHAIN);  // a trusted file may hold the certificate itself
  X509_VERIFY_PARAM_set_purpose(rules, X509_PURPOSE_SSL_SERVER);
  if (host.empty() || X509_VERIFY_PARAM_set1_ip_asc(rules, host.c_str()) == 1) return true;
  return X509_VERIFY_PARAM_set1_host(rules, host.data(), host.size()) == 1;
}

}  // namespace

ChainJudgement judge_server_chain(std::span<const Certificate> chain, const std::string& ca_file,
                                  const std::string& host, WallTime now) {
  if (chain.empty()) return {ChainFault::unsuitable, "no certificate"};
  const StoreOwner store(X509_STORE_new());
  const ContextOwner context(X509_STORE_CTX_new());
  const StackOwner above(sk_X509_new_null());
  for (const auto& one : chain.subspan(1)) sk_X509_push(above.get(), one.native());
  ChainJudgement judgement{ChainFault::no_store, "its authorities cannot be read"};
  if (X509_STORE_load_file(store.get(), ca_file.c_str()) == 1 &&
      X509_STORE_CTX_init(context.get(), store.get(), chain.front().native(), above.get()) == 1 &&
      demand(context.get(), host, now)) {
    (void)X509_verify_cert(context.get());
    const int error = X509_STORE_CTX_get_error(context.get());
    judgement = {fault_of(error), X509_verify_cert_error_string(error)};
  }
  ERR_clear_error();
  return judgement;
}

}  // namespace sallyport::crypto
