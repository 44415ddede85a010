#pragma once

#include "agent/vault/vault.h"
#include "shared/recipe/fields.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::policy {

// How a sender proves who it is. The last is the TLS handshake's work; the others need a secret.
enum class SenderProof {
  bearer,                 // Authorization: Bearer SECRET (RFC 6750)
  signature,              // HMAC-SHA256 over the body, in hexadecimal
  timestamped_signature,  // over time, dot and body: "t=1700000000,v1=HEX"
  standard_webhooks,      // over id, time and body, as "Standard Webhooks" has it
  certificate,            // of `client_ca_file`
};

// Who may send to one path.
struct ListenSender {
  std::string path;  // "/github/push"
  SenderProof proof = SenderProof::bearer;
  vault::SecretRef secret;
  vault::SecretRef other_secret;           // as good as the first, while it is being replaced
  std::string signature_header;            // of `signature` and `timestamped_signature`
  std::chrono::milliseconds tolerance{};   // how far a sender's clock, or its message, may be behind or ahead
  std::string delivery_header;             // has an id by which a delivery that comes again is known; may be empty
  std::vector<std::string> headers;        // that recipes see
  std::vector<std::string> content_types;  // in lower case; empty: any

  bool needs_secret() const { return proof != SenderProof::certificate; }
};

// Where this agent listens for requests of other programs (`kind: http-listen`).
struct ListenConnection {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  bool has_tls = true;
  std::string certificate_file;  // PEM, leaf first
  vault::SecretRef key;          // a file
  std::string client_ca_file;    // every client then has to show a certificate of it
  std::uint64_t max_body = 128ULL << 10;
  std::uint32_t rate = 600;  // requests of one source in a minute
  std::vector<ListenSender> senders;

  const ListenSender* find(std::string_view path) const;
};

std::string_view to_string(SenderProof proof);  // as in connections.yaml
ListenConnection read_listen(yaml::FieldReader& fields, std::string_view directory);
std::vector<vault::SecretRef> secrets_of(const ListenConnection& listener);

}  // namespace sallyport::policy
