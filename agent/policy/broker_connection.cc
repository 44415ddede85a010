#include "agent/policy/broker_connection.h"

#include "agent/policy/reading.h"

#include <algorithm>
#include <array>

namespace sallyport::policy {
namespace {

constexpr std::array<std::string_view, 2> kSecurity{"tls", "none"};
constexpr std::array<std::string_view, 4> kLogins{"none", "plain", "scram-sha-256", "scram-sha-512"};
constexpr yaml::DurationRange kPatience{std::chrono::seconds(1), std::chrono::minutes(5)};
constexpr SizeRange kMessageSize{1024, 64ULL << 20};

BrokerTls read_tls(yaml::FieldReader& fields, std::string_view directory) {
  BrokerTls tls;
  tls.used = fields.choice("security", kSecurity).value_or("tls") == "tls";
  if (const auto ca = fields.text("ca_file")) tls.ca_file = resolve_path(*ca, directory);
  const auto certificate = fields.text("client_certificate_file");
  if (certificate) tls.client_certificate_file = resolve_path(*certificate, directory);
  tls.client_key = read_secret_ref(fields, "client_key", directory);
  if (certificate.has_value() != static_cast<bool>(tls.client_key))
    fields.problem("client_certificate_file", "missing-field", "a client certificate and its key need each other");
  return tls;
}

void check_clear_text(yaml::FieldReader& fields, const BrokerTls& tls, std::string_view host) {
  if (tls.used || host.empty() || is_this_machine(host)) return;
  fields.problem("security", "clear-text",
                 "`security: none` is only allowed for a broker on this machine: messages and password would cross the "
                 "network in clear text");
}

}  // namespace

AmqpConnection read_amqp(yaml::FieldReader& fields, std::string_view directory) {
  AmqpConnection amqp;
  amqp.host = fields.text("host", yaml::Need::required).value_or("");
  amqp.tls = read_tls(fields, directory);
  amqp.port = static_cast<std::uint16_t>(fields.integer("port", {1, 65535}).value_or(amqp.tls.used ? 5671 : 5672));
  amqp.vhost = fields.text("vhost").value_or(amqp.vhost);
  if (amqp.vhost.size() > 255) fields.problem("vhost", "bad-name", "a vhost's name has at most 255 bytes");
  amqp.user = fields.text("user").value_or("");
  amqp.password = read_secret_ref(fields, "password", directory);
  if (amqp.user.empty() == static_cast<bool>(amqp.password))
    fields.problem("user", "missing-field", "`user` and a password belong together: give both or none");
  if (amqp.user.empty() && amqp.tls.client_certificate_file.empty())
    fields.problem("user", "missing-field", "a broker needs a login: `user` and a password, or a client certificate");
  amqp.max_message = read_size(fields, "max_message", kMessageSize).value_or(amqp.max_message);
  amqp.connect_timeout = fields.duration("connect_timeout", kPatience).value_or(amqp.connect_timeout);
  amqp.pool = static_cast<std::uint32_t>(fields.integer("pool", {1, 64}).value_or(amqp.pool));
  check_clear_text(fields, amqp.tls, amqp.host);
  return amqp;
}

KafkaConnection read_kafka(yaml::FieldReader& fields, std::string_view directory) {
  KafkaConnection kafka;
  kafka.brokers = fields.texts("brokers", yaml::Need::required);
  if (kafka.brokers.empty() && fields.any("brokers") != nullptr)
    fields.problem("brokers", "missing-field", "`brokers` names one at least");
  kafka.tls = read_tls(fields, directory);
  for (const auto& broker : kafka.brokers) {
    const auto where = parse_host_port(broker);
    if (!where || where->port == 0) fields.problem("brokers", "bad-address", "a broker is written host:port");
    if (where) check_clear_text(fields, kafka.tls, where->host);
  }
  const auto sasl = fields.choice("sasl", kLogins).value_or("none");
  kafka.login = static_cast<KafkaLogin>(std::ranges::find(kLogins, sasl) - kLogins.begin());
  kafka.user = fields.text("user").value_or("");
  kafka.password = read_secret_ref(fields, "password", directory);
  const bool logs_in = kafka.login != KafkaLogin::none;
  if (kafka.user.empty() == logs_in || static_cast<bool>(kafka.password) != logs_in)
    fields.problem("sasl", "missing-field", "`sasl`, `user` and a password belong together: give all or none");
  kafka.max_message = read_size(fields, "max_message", kMessageSize).value_or(kafka.max_message);
  kafka.connect_timeout = fields.duration("connect_timeout", kPatience).value_or(kafka.connect_timeout);
  kafka.pool = static_cast<std::uint32_t>(fields.integer("pool", {1, 64}).value_or(kafka.pool));
  return kafka;
}

std::vector<vault::SecretRef> secrets_of(const KafkaConnection& kafka) {
  return {kafka.password, kafka.tls.client_key};
}

std::vector<vault::SecretRef> secrets_of(const AmqpConnection& amqp) { return {amqp.password, amqp.tls.client_key}; }

}  // namespace sallyport::policy
