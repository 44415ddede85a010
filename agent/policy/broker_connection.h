#pragma once

#include "agent/vault/vault.h"
#include "shared/recipe/fields.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::policy {

// How the way to a message broker is protected; certificate and name of the broker are always checked.
struct BrokerTls {
  bool used = true;                     // without it only on this machine
  std::string ca_file;                  // empty: the system's store
  std::string client_certificate_file;  // PEM; empty: none is shown
  vault::SecretRef client_key;
};

// AMQP 0-9-1, as RabbitMQ speaks it.
struct AmqpConnection {
  std::string host;
  std::uint16_t port = 5671;
  BrokerTls tls;
  std::string vhost = "/";
  std::string user;  // empty: the client certificate is the login (EXTERNAL)
  vault::SecretRef password;
  std::uint64_t max_message = 1ULL << 20;  // of one that a step sends
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(10);
  std::uint32_t pool = 2;  // connections open at the same time, without those of triggers
};

// SASL's mechanism.
enum class KafkaLogin { none, plain, scram_sha_256, scram_sha_512 };

struct KafkaConnection {
  std::vector<std::string> brokers;  // "host:port"; the others of the cluster are learnt from them
  BrokerTls tls;
  KafkaLogin login = KafkaLogin::none;
  std::string user;
  vault::SecretRef password;
  std::uint64_t max_message = 1ULL << 20;  // of one that a step sends
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(10);
  std::uint32_t pool = 2;  // producers at the same time
};

AmqpConnection read_amqp(yaml::FieldReader& fields, std::string_view directory);

KafkaConnection read_kafka(yaml::FieldReader& fields, std::string_view directory);

std::vector<vault::SecretRef> secrets_of(const AmqpConnection& amqp);
std::vector<vault::SecretRef> secrets_of(const KafkaConnection& kafka);

}  // namespace sallyport::policy
