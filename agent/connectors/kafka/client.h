#pragma once

#include "agent/connectors/call_limits.h"
#include "agent/connectors/kafka/librdkafka.h"
#include "agent/connectors/step_error.h"
#include "agent/policy/broker_connection.h"
#include "agent/vault/vault.h"

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sallyport::connectors::kafka {

// One client of a cluster, with librdkafka's own threads, which look for its brokers for as long as it lives. Calls on
// it are made by one thread at a time. Nothing of the environment counts; nothing is written to standard error.
class Client {
 public:
  using Properties = std::vector<std::pair<const char*, std::string>>;
  using Delivered = void (*)(rd_kafka_t*, const rd_kafka_message_t*, void*);

  // Connected to no broker yet. Class "invalid" for settings that librdkafka does not take, with its reason: for the
  // agent's log. `delivered`: producers only.
  static StepResult<std::unique_ptr<Client>> make(rd_kafka_type_t type, const policy::KafkaConnection& settings,
                                                  const vault::Vault& vault, const Properties& more,
                                                  Delivered delivered = nullptr);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Waits until the cluster says what it knows of `topic` (empty: of itself). Class "connection" when no broker could
  // be reached in the settings' connect_timeout; "permission" when the login is refused, or the topic; "not_found".
  StepResult<void> look_for(const std::string& topic, const CallLimits& limits);
  // The login was refused, which librdkafka goes on to try.
  std::optional<StepError> refusal();
  // No broker could be reached at some time since the last call. librdkafka goes on to look for them.
  bool was_cut_off();

  rd_kafka_t* get() const { return handle_; }

 private:
  explicit Client(std::chrono::milliseconds patience) : patience_(patience) {}
  static void note(rd_kafka_t* handle, int error, const char* reason, void* self);
  StepResult<bool> ask_for(const std::string& topic, int slice_ms);

  std::chrono::milliseconds patience_;
  rd_kafka_t* handle_ = nullptr;
  std::mutex mutex_;  // the note may come from a thread of librdkafka
  std::optional<StepError> trouble_;
  bool cut_off_ = false;
};

// An error code with a general class. Its text has no settings.
StepError kafka_error(rd_kafka_resp_err_t code, std::string_view doing);

inline constexpr int kSliceMs = 100;  // after which a stop is looked at

}  // namespace sallyport::connectors::kafka
