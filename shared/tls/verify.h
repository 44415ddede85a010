#pragma once

#include "shared/tls/context_core.h"

// Callbacks of OpenSSL; for context.cc only.
namespace sallyport::tls {

// Chooses the protocol from the ClientHello and with it whether a client certificate is demanded.
int on_client_hello(SSL* ssl, int* alert, void*);
// Confirms what on_client_hello chose.
int on_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_length, const unsigned char* offered,
            unsigned int offered_length, void*);
// Builds and verifies the peer's chain at the clock's time, then applies the rules of the role. 1 = accepted.
int on_peer_chain(X509_STORE_CTX* store, void*);

}  // namespace sallyport::tls
