#include "agent/connectors/ldap/libldap.h"

namespace sallyport::connectors::ldap {
namespace {

Result<Libldap> find_all(const std::string& file) {
  SP_TRY(const auto library, platform::SharedLibrary::load(file));
  Libldap functions;
  SALLYPORT_LIBLDAP_FUNCTIONS(SALLYPORT_FIND_FUNCTION)
  return functions;
}

// As 2.5 is called on Debian 12, and 2.6 everywhere.
Result<Libldap> open_any() {
  auto functions = open_libldap("libldap-2.5.so.0");
  if (functions) return functions;
  auto newer = find_all("libldap.so.2");
  return newer ? newer : functions;
}

constinit platform::OnDemand<Libldap> client(open_any);

}  // namespace

Result<Libldap> open_libldap(const std::string& file) {
  auto functions = find_all(file);
  if (functions) return functions;
  return in_context("OpenLDAP's client library cannot be used (Debian: the package libldap-2.5-0)", functions.error());
}

Result<void> load_libldap() { return client.load(); }

const Libldap& libldap() { return client.functions(); }

}  // namespace sallyport::connectors::ldap
