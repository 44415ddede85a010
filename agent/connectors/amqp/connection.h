#pragma once

#include "agent/connectors/amqp/librabbitmq.h"
#include "agent/connectors/amqp/wire.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::connectors::amqp {

inline constexpr amqp_channel_t kChannel = 1;  // the only one, opened with the connection

// The silence after which a broker that promised a word counts as gone; 0: it promises none.
enum class Heartbeat : std::uint16_t { none = 0, half_a_minute = 30 };

// One AMQP 0-9-1 connection, logged in, with one channel; blocking, used by one thread at a time. An error of any call
// leaves it unusable; nothing is tried again here. Classes: those of Wire, and what the broker says when it closes the
// connection or the channel (reply_error). No frame over 32 KiB is taken.
class Connection {
 public:
  // Class "permission" when the broker refuses the login. The text is for the agent's log.
  static StepResult<std::unique_ptr<Connection>> log_in(std::unique_ptr<Wire> wire,
                                                        const policy::AmqpConnection& settings,
                                                        const vault::Vault& vault, Heartbeat heartbeat,
                                                        const CallLimits& limits);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // `fields` is the structure of librabbitmq that belongs to `method`.
  StepResult<void> send(amqp_method_number_t method, void* fields, const CallLimits& limits);
  // The header and the body of a message, after the method that announces it.
  StepResult<void> send_content(const amqp_basic_properties_t& properties, std::string_view body,
                                const CallLimits& limits);
  // Sends what has an answer, and gives its fields: borrowed until the next call. Other methods are an error.
  StepResult<void*> call(amqp_method_number_t method, void* fields, amqp_method_number_t answer,
                         const CallLimits& limits);
  // The next frame of the channel; nothing when none came until the deadline. Borrowed until the next call. Heartbeats
  // are sent and heard here.
  StepResult<std::optional<amqp_frame_t>> receive(const CallLimits& limits);
  // For whoever receives nothing for a while.
  StepResult<void> stay(const CallLimits& limits);

  // False: do not put it back into a pool.
  bool is_usable() const { return !broken_ && wire_->is_quiet(); }
  // The broker has closed the channel: it has not done what it was asked for last.
  bool was_refused() const { return refused_; }

 private:
  using Time = std::chrono::steady_clock::time_point;
  Connection(std::unique_ptr<Wire> wire, Heartbeat heartbeat);

  StepResult<void> start(const policy::AmqpConnection& settings, const vault::Vault& vault, const CallLimits& limits);
  StepResult<void> answer_start(const amqp_connection_start_t& start, const policy::AmqpConnection& settings,
                                const vault::Vault& vault, const CallLimits& limits);
  StepResult<void> tune(const amqp_connection_tune_t& offered, const CallLimits& limits);
  StepResult<void> send_on(amqp_channel_t channel, amqp_method_number_t method, void* fields, const CallLimits& limits);
  StepResult<void*> await_method(amqp_method_number_t method, const CallLimits& limits);
  StepResult<std::optional<amqp_frame_t>> next_frame(const CallLimits& limits);
  StepResult<std::optional<amqp_frame_t>> decoded();
  StepResult<void> look_at(const amqp_frame_t& frame, const CallLimits& limits);
  template <class T>
  StepResult<T> noted(StepResult<T> result);
  StepResult<void> beat(const CallLimits& limits);
  Time slice_until(Time deadline) const;
  void append_frame(std::string& out, std::uint8_t type, amqp_channel_t channel, std::string_view payload) const;

  struct FreeCodec {
    void operator()(amqp_connection_state_t codec) const { librabbitmq().amqp_destroy_connection(codec); }
  };
  std::unique_ptr<Wire> wire_;
  std::unique_ptr<amqp_connection_state_t_, FreeCodec> codec_;
  std::vector<std::byte> input_;
  std::size_t begin_ = 0, end_ = 0;  // of `input_`: what is not decoded yet
  std::size_t frame_max_ = 4096;
  std::chrono::seconds heartbeat_;
  Time beat_at_, heard_at_;
  bool broken_ = false, refused_ = false;
};

// A reply code (AMQP 0-9-1, 1.2 Constants) as an error with a general class. What the broker says besides may quote
// names: for the agent's log only.
StepError reply_error(std::uint16_t code, std::string_view doing);

amqp_bytes_t bytes_of(std::string_view text);  // borrowed
std::string_view text_of(amqp_bytes_t bytes);  // borrowed

}  // namespace sallyport::connectors::amqp
