#include "shared/crypto/client_chain.h"

#include "shared/crypto/openssl.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

namespace sallyport::crypto {
namespace {

using StoreOwner = std::unique_ptr<X509_STORE, FreeWith<X509_STORE_free>>;
using StoreContext = std::unique_ptr<X509_STORE_CTX, FreeWith<X509_STORE_CTX_free>>;
using BorrowedStack = std::unique_ptr<STACK_OF(X509), decltype([](STACK_OF(X509) * stack) { sk_X509_free(stack); })>;

std::unexpected<Error> refused(std::string_view why) {
  return fail(Errc::unauthenticated, fmt::format("the certificate is not a linked agent's: {}", why));
}

Result<void> build_and_verify(const ClientChain& chain, const Certificate& root, WallTime at) {
  const StoreOwner trusted(X509_STORE_new());
  const StoreContext context(X509_STORE_CTX_new());
  const BorrowedStack others(sk_X509_new_null());
  const bool ready = X509_STORE_add_cert(trusted.get(), root.native()) == 1 &&
                     sk_X509_push(others.get(), chain.issuer.native()) > 0 &&
                     X509_STORE_CTX_init(context.get(), trusted.get(), chain.leaf.native(), others.get()) == 1;
  if (!ready) return fail_openssl(Errc::internal, "verifying a certificate");
  auto* rules = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(rules, unix_ms(at) / 1000);
  X509_VERIFY_PARAM_set_purpose(rules, X509_PURPOSE_SSL_CLIENT);
  X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_X509_STRICT);
  const bool good = X509_verify_cert(context.get()) == 1;
  ERR_clear_error();
  if (!good) return refused(X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
  return {};
}

}  // namespace

Result<SpiffeId> verify_client_chain(const ClientChain& chain, const Certificate& root, WallTime at) {
  SP_CHECK(build_and_verify(chain, root, at));
  const auto& leaf = chain.leaf;
  if (!leaf.signed_by(chain.issuer) || !chain.issuer.signed_by(root)) return refused("it is not issued below the root");
  if (leaf.ca() || !leaf.allows_digital_signature() || leaf.allows_certificate_signing())
    return refused("it is not an end entity's");
  const auto names = leaf.alt_names();
  if (names.size() != 1 || names.front().kind != AltName::Kind::uri) return refused("it has not exactly one URI");
  auto id = parse_spiffe_id(names.front().text);
  if (!id) return refused(id.error().message);
  if (chain.issuer.organisation_name() != id->org.value) return refused("its issuer is another organisation's");
  return id;
}

}  // namespace sallyport::crypto
