#include "agent/connectors/kafka/client.h"

#include "agent/connectors/translate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace sallyport::connectors::kafka {
namespace {

using SteadyClock = std::chrono::steady_clock;
using policy::KafkaLogin;

// A configuration in the making; librdkafka's once the client is made.
class Settings {
 public:
  Settings() : conf_(librdkafka().rd_kafka_conf_new()) {}
  ~Settings() {
    if (conf_ != nullptr) librdkafka().rd_kafka_conf_destroy(conf_);
  }
  Settings(const Settings&) = delete;
  Settings& operator=(const Settings&) = delete;

  void set(const char* name, const std::string& value) {
    if (!wrong_.empty()) return;
    std::array<char, 512> why{};
    if (librdkafka().rd_kafka_conf_set(conf_, name, value.c_str(), why.data(), why.size()) != RD_KAFKA_CONF_OK)
      wrong_ = name;  // the reason may quote the value
  }
  rd_kafka_conf_t* get() { return conf_; }
  void release() { conf_ = nullptr; }
  const std::string& wrong() const { return wrong_; }

 private:
  rd_kafka_conf_t* conf_;
  std::string wrong_;
};

void set_tls(Settings& conf, const policy::BrokerTls& tls, std::string_view key) {
  conf.set("enable.ssl.certificate.verification", "true");
  conf.set("ssl.endpoint.identification.algorithm", "https");
  conf.set("ssl.ca.location", tls.ca_file.empty() ? "/etc/ssl/certs/ca-certificates.crt" : tls.ca_file);
  if (tls.client_certificate_file.empty()) return;
  conf.set("ssl.certificate.location", tls.client_certificate_file);
  conf.set("ssl.key.pem", std::string(key));
}

void set_login(Settings& conf, const policy::KafkaConnection& settings, std::string_view password) {
  const bool sasl = settings.login != KafkaLogin::none;
  conf.set("security.protocol", fmt::format("{}{}", sasl ? "sasl_" : "", settings.tls.used ? "ssl" : "plaintext"));
  if (!sasl) return;
  constexpr std::array kMechanisms{"", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
  conf.set("sasl.mechanisms", kMechanisms[static_cast<std::size_t>(settings.login)]);
  conf.set("sasl.username", settings.user);
  conf.set("sasl.password", std::string(password));
}

StepResult<Secret> resolved(const vault::Vault& vault, const vault::SecretRef& ref) {
  return ref ? to_step(vault.resolve(ref)) : StepResult<Secret>();
}

}  // namespace

StepResult<std::unique_ptr<Client>> Client::make(rd_kafka_type_t type, const policy::KafkaConnection& settings,
                                                 const vault::Vault& vault, const Properties& more,
                                                 Delivered delivered) {
  if (const auto loaded = load_librdkafka(); !loaded) return step_fail("connection", loaded.error().message);
  SP_TRY(const auto key, resolved(vault, settings.tls.client_key));
  SP_TRY(const auto password, resolved(vault, settings.password));
  std::unique_ptr<Client> client(new Client(settings.connect_timeout));
  Settings conf;
  conf.set("bootstrap.servers", fmt::format("{}", fmt::join(settings.brokers, ",")));
  conf.set("client.id", "sallyport-agent");
  conf.set("socket.connection.setup.timeout.ms",
           std::to_string(std::max<std::int64_t>(1000, settings.connect_timeout.count())));
  conf.set("socket.keepalive.enable", "true");
  if (settings.tls.used) set_tls(conf, settings.tls, key.reveal());
  set_login(conf, settings, password.reveal());
  for (const auto& [name, value] : more) conf.set(name, value);
  if (!conf.wrong().empty())
    return step_fail("connection", fmt::format("librdkafka does not take the value of {}", conf.wrong()));
  const auto& lib = librdkafka();
  lib.rd_kafka_conf_set_log_cb(conf.get(), nullptr);
  lib.rd_kafka_conf_set_opaque(conf.get(), client.get());
  lib.rd_kafka_conf_set_error_cb(conf.get(), note);
  if (delivered != nullptr) lib.rd_kafka_conf_set_dr_msg_cb(conf.get(), delivered);
  std::array<char, 512> why{};
  client->handle_ = lib.rd_kafka_new(type, conf.get(), why.data(), why.size());
  if (client->handle_ == nullptr) return step_fail("connection", why.data());
  conf.release();
  return client;
}

// What is left in its queues is given up: it was purged, or a consumer has closed.
Client::~Client() {
  if (handle_ != nullptr) librdkafka().rd_kafka_destroy_flags(handle_, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

void Client::note(rd_kafka_t*, int error, const char* reason, void* self) {
  auto& client = *static_cast<Client*>(self);
  const auto code = static_cast<rd_kafka_resp_err_t>(error);
  const std::lock_guard lock(client.mutex_);
  client.cut_off_ = client.cut_off_ || code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
  // A refused login says more than that no broker is left.
  const bool is_known = client.trouble_ && client.trouble_->error_class() == "permission";
  if (!is_known && (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || !client.trouble_))
    client.trouble_ = kafka_error(code, reason == nullptr ? "" : reason);
}

std::optional<StepError> Client::refusal() {
  const std::lock_guard lock(mutex_);
  return trouble_ && trouble_->error_class() == "permission" ? trouble_ : std::nullopt;
}

bool Client::was_cut_off() {
  const std::lock_guard lock(mutex_);
  return std::exchange(cut_off_, false);
}

StepResult<void> Client::look_for(const std::string& topic, const CallLimits& limits) {
  const auto until = std::min(limits.deadline, SteadyClock::now() + patience_);
  while (SteadyClock::now() < until) {
    if (limits.stop.stop_requested()) return step_fail("cancelled", "stopped");
    SP_TRY(const bool answered, ask_for(topic, kSliceMs));
    if (answered) return {};
    librdkafka().rd_kafka_poll(handle_, 0);  // what it has to tell
    if (auto refused = refusal()) return std::unexpected(*std::move(refused));
  }
  const std::lock_guard lock(mutex_);
  return step_fail("connection", trouble_ ? trouble_->message : "the cluster did not answer in time");
}

// Whether there was an answer.
StepResult<bool> Client::ask_for(const std::string& topic, int slice_ms) {
  const auto& lib = librdkafka();
  auto* about = topic.empty() ? nullptr : lib.rd_kafka_topic_new(handle_, topic.c_str(), nullptr);
  if (!topic.empty() && about == nullptr) return step_fail("invalid", "this cannot be the name of a topic");
  const struct rd_kafka_metadata* answer = nullptr;
  const auto asked = lib.rd_kafka_metadata(handle_, 0, about, &answer, slice_ms);
  if (about != nullptr) lib.rd_kafka_topic_destroy(about);
  if (asked != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
  const auto error = topic.empty() || answer->topic_cnt == 0 ? RD_KAFKA_RESP_ERR_NO_ERROR : answer->topics[0].err;
  lib.rd_kafka_metadata_destroy(answer);
  if (error == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) return false;  // it is being made
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(kafka_error(error, "looking for the topic"));
  return true;
}

}  // namespace sallyport::connectors::kafka
