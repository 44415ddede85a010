#pragma once

#include "agent/platform/shared_library.h"

#include <string>

#include <ldap.h>

// Exported by libldap for whoever brings a connection of its own; its header for programs leaves it out.
extern "C" int ldap_init_fd(ber_socket_t fd, int proto, const char* url, LDAP** ldap);

namespace sallyport::connectors::ldap {

#define SALLYPORT_LIBLDAP_FUNCTIONS(X) \
  X(ber_free)                          \
  X(ber_memfree)                       \
  X(ber_sockbuf_ctrl)                  \
  X(ldap_add_ext)                      \
  X(ldap_control_find)                 \
  X(ldap_control_free)                 \
  X(ldap_controls_free)                \
  X(ldap_create_page_control)          \
  X(ldap_delete_ext)                   \
  X(ldap_err2string)                   \
  X(ldap_get_attribute_ber)            \
  X(ldap_get_dn_ber)                   \
  X(ldap_get_option)                   \
  X(ldap_init_fd)                      \
  X(ldap_install_tls)                  \
  X(ldap_memfree)                      \
  X(ldap_modify_ext)                   \
  X(ldap_msgfree)                      \
  X(ldap_msgtype)                      \
  X(ldap_parse_pageresponse_control)   \
  X(ldap_parse_result)                 \
  X(ldap_rename)                       \
  X(ldap_result)                       \
  X(ldap_sasl_bind)                    \
  X(ldap_search_ext)                   \
  X(ldap_set_option)                   \
  X(ldap_start_tls)                    \
  X(ldap_unbind_ext)

// The functions of libldap and its liblber, under their own names.
struct Libldap {
  SALLYPORT_LIBLDAP_FUNCTIONS(SALLYPORT_FUNCTION_MEMBER)
};

// Errors: not_found, with what to install. Since 2.5 the library may be used by several threads.
Result<Libldap> open_libldap(const std::string& file);

// libldap is loaded by the first connection to a directory (docs/decisions/0015).
Result<void> load_libldap();
// After load_libldap.
const Libldap& libldap();

}  // namespace sallyport::connectors::ldap
