#include "agent/connectors/amqp/connection.h"

#include "agent/connectors/translate.h"
#include "shared/base/text.h"
#include "shared/base/utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

namespace sallyport::connectors::amqp {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::seconds;

constexpr std::string_view kHello{"AMQP\0\0\x09\x01", 8};
constexpr std::size_t kSmallestFrame = 4096;      // that every broker takes
constexpr std::size_t kLargestFrame = 32u << 10;  // librabbitmq goes as deep as lists in lists go
constexpr std::size_t kAround = 8;                // a frame's header and end
constexpr std::size_t kInput = 64u << 10;
constexpr std::size_t kContentHead = 12;
constexpr std::uint8_t kOtherProtocol = 'A';  // librabbitmq's word for a broker that offers another version

template <class Number>
void append_number(std::string& out, Number number) {
  for (int shift = 8 * (sizeof(Number) - 1); shift >= 0; shift -= 8) out += static_cast<char>(number >> shift);
}

amqp_table_entry_t ability(const char* name) {
  amqp_field_value_t yes{};
  yes.kind = AMQP_FIELD_KIND_BOOLEAN;
  yes.value.boolean = 1;
  return {bytes_of(name), yes};
}

// A word of a list of words.
bool has_word(std::string_view words, std::string_view word) {
  for (std::size_t at = 0; (at = words.find(word, at)) != std::string_view::npos; at += word.size()) {
    const auto after = at + word.size();
    if ((at == 0 || words[at - 1] == ' ') && (after == words.size() || words[after] == ' ')) return true;
  }
  return false;
}

// Nothing that anybody waits for.
bool is_notice(const amqp_frame_t& frame) {
  if (frame.frame_type == AMQP_FRAME_HEARTBEAT) return true;
  const auto id = frame.payload.method.id;
  return frame.frame_type == AMQP_FRAME_METHOD &&
         (id == AMQP_CONNECTION_BLOCKED_METHOD || id == AMQP_CONNECTION_UNBLOCKED_METHOD);
}

}  // namespace

amqp_bytes_t bytes_of(std::string_view text) { return {text.size(), const_cast<char*>(text.data())}; }
std::string_view text_of(amqp_bytes_t bytes) { return {static_cast<const char*>(bytes.bytes), bytes.len}; }

Connection::Connection(std::unique_ptr<Wire> wire, Heartbeat heartbeat)
    : wire_(std::move(wire)),
      codec_(librabbitmq().amqp_new_connection()),
      input_(kInput),
      heartbeat_(static_cast<std::uint16_t>(heartbeat)),
      beat_at_(SteadyClock::now()),
      heard_at_(beat_at_) {}

// A broker that is told does not log a client that vanished. It is not waited for.
Connection::~Connection() {
  if (broken_ || !codec_) return;
  amqp_connection_close_t close{AMQP_REPLY_SUCCESS, bytes_of("done"), 0, 0};
  (void)send_on(0, AMQP_CONNECTION_CLOSE_METHOD, &close, {SteadyClock::now(), {}});
}

// ---------------------------------------------------------------- opening

StepResult<std::unique_ptr<Connection>> Connection::log_in(std::unique_ptr<Wire> wire,
                                                           const policy::AmqpConnection& settings,
                                                           const vault::Vault& vault, Heartbeat heartbeat,
                                                           const CallLimits& limits) {
  if (const auto loaded = load_librabbitmq(); !loaded) return step_fail("connection", loaded.error().message);
  std::unique_ptr<Connection> connection(new Connection(std::move(wire), heartbeat));
  if (!connection->codec_) return step_fail("connection", "out of memory");
  const CallLimits opening{std::min(limits.deadline, SteadyClock::now() + settings.connect_timeout), limits.stop};
  auto started = connection->noted(connection->start(settings, vault, opening));
  if (started) return connection;
  auto& error = started.error();
  if (error.error_class() == "timeout") error.classes = {"connection"};
  return step_in_context(fmt::format("logging in to {}:{}", settings.host, settings.port), std::move(error));
}

StepResult<void> Connection::start(const policy::AmqpConnection& settings, const vault::Vault& vault,
                                   const CallLimits& limits) {
  SP_CHECK(wire_->send(as_bytes(kHello), limits));
  SP_TRY(const auto* asked, await_method(AMQP_CONNECTION_START_METHOD, limits));
  SP_CHECK(answer_start(*static_cast<const amqp_connection_start_t*>(asked), settings, vault, limits));
  SP_TRY(const auto* offered, await_method(AMQP_CONNECTION_TUNE_METHOD, limits));
  SP_CHECK(tune(*static_cast<const amqp_connection_tune_t*>(offered), limits));
  amqp_connection_open_t open{bytes_of(settings.vhost), {}, 0};
  SP_CHECK(send_on(0, AMQP_CONNECTION_OPEN_METHOD, &open, limits));
  SP_CHECK(await_method(AMQP_CONNECTION_OPEN_OK_METHOD, limits));
  amqp_channel_open_t channel{};
  SP_CHECK(call(AMQP_CHANNEL_OPEN_METHOD, &channel, AMQP_CHANNEL_OPEN_OK_METHOD, limits));
  return {};
}

StepResult<void> Connection::answer_start(const amqp_connection_start_t& start, const policy::AmqpConnection& settings,
                                          const vault::Vault& vault, const CallLimits& limits) {
  const bool external = settings.user.empty();
  const std::string_view mechanism = external ? "EXTERNAL" : "PLAIN";
  if (!has_word(text_of(start.mechanisms), mechanism))
    return step_fail("permission", fmt::format("the broker does not take logins by {}", mechanism));
  Secret password;
  if (!external) {
    SP_TRY(password, to_step(vault.resolve(settings.password)));
  }
  std::string response = external ? "" : fmt::format("{}{}{}{}", '\0', settings.user, '\0', password.reveal());
  std::array abilities{ability("publisher_confirms"), ability("basic.nack"), ability("consumer_cancel_notify"),
                       ability("authentication_failure_close")};
  amqp_field_value_t all{};
  all.kind = AMQP_FIELD_KIND_TABLE;
  all.value.table = {static_cast<int>(abilities.size()), abilities.data()};
  amqp_table_entry_t capabilities{bytes_of("capabilities"), all};
  amqp_connection_start_ok_t answer{{1, &capabilities}, bytes_of(mechanism), bytes_of(response), bytes_of("en_US")};
  auto sent = send_on(0, AMQP_CONNECTION_START_OK_METHOD, &answer, limits);
  wipe(response.data(), response.size());
  return sent;
}

StepResult<void> Connection::tune(const amqp_connection_tune_t& offered, const CallLimits& limits) {
  frame_max_ = std::clamp<std::size_t>(offered.frame_max == 0 ? kLargestFrame : offered.frame_max, kSmallestFrame,
                                       kLargestFrame);
  if (librabbitmq().amqp_tune_connection(codec_.get(), 1, static_cast<int>(frame_max_), 0) != AMQP_STATUS_OK)
    return step_fail("connection", "out of memory");
  amqp_connection_tune_ok_t answer{1, static_cast<std::uint32_t>(frame_max_),
                                   static_cast<std::uint16_t>(heartbeat_.count())};
  return send_on(0, AMQP_CONNECTION_TUNE_OK_METHOD, &answer, limits);
}

// ---------------------------------------------------------------- sending

void Connection::append_frame(std::string& out, std::uint8_t type, amqp_channel_t channel,
                              std::string_view payload) const {
  out += static_cast<char>(type);
  append_number(out, channel);
  append_number(out, static_cast<std::uint32_t>(payload.size()));
  out += payload;
  out += static_cast<char>(AMQP_FRAME_END);
}

StepResult<void> Connection::send_on(amqp_channel_t channel, amqp_method_number_t method, void* fields,
                                     const CallLimits& limits) {
  std::string payload;
  append_number(payload, method);
  std::string encoded(frame_max_ - kAround - payload.size(), '\0');
  const int size = librabbitmq().amqp_encode_method(method, fields, bytes_of(encoded));
  if (size < 0) return noted<void>(step_fail("invalid", "a name is longer than AMQP has room for"));
  payload.append(encoded, 0, static_cast<std::size_t>(size));
  std::string frame;
  append_frame(frame, AMQP_FRAME_METHOD, channel, payload);
  auto sent = noted(wire_->send(as_bytes(frame), limits));
  wipe(frame.data(), frame.size());  // a login
  wipe(payload.data(), payload.size());
  wipe(encoded.data(), encoded.size());
  return sent;
}

StepResult<void> Connection::send(amqp_method_number_t method, void* fields, const CallLimits& limits) {
  return send_on(kChannel, method, fields, limits);
}

StepResult<void> Connection::send_content(const amqp_basic_properties_t& properties, std::string_view body,
                                          const CallLimits& limits) {
  std::string head;
  append_number(head, std::uint16_t{AMQP_BASIC_CLASS});
  append_number(head, std::uint16_t{0});
  append_number(head, std::uint64_t{body.size()});
  std::string encoded(frame_max_ - kAround - kContentHead, '\0');
  const int size = librabbitmq().amqp_encode_properties(
      AMQP_BASIC_CLASS, const_cast<amqp_basic_properties_t*>(&properties), bytes_of(encoded));
  if (size < 0) return noted<void>(step_fail("invalid", "the headers and properties are too large for a message"));
  head.append(encoded, 0, static_cast<std::size_t>(size));
  std::string frame;
  append_frame(frame, AMQP_FRAME_HEADER, kChannel, head);
  for (;;) {
    SP_CHECK(noted(wire_->send(as_bytes(frame), limits)));
    if (body.empty()) return {};
    const auto piece = body.substr(0, frame_max_ - kAround);
    frame.clear();
    append_frame(frame, AMQP_FRAME_BODY, kChannel, piece);
    body.remove_prefix(piece.size());
  }
}

StepResult<void> Connection::beat(const CallLimits& limits) {
  const auto now = SteadyClock::now();
  if (heartbeat_ == seconds(0) || now < beat_at_ + heartbeat_ / 2) return {};
  beat_at_ = now;
  std::string frame;
  append_frame(frame, AMQP_FRAME_HEARTBEAT, 0, {});
  return noted(wire_->send(as_bytes(frame), limits));
}

StepResult<void> Connection::stay(const CallLimits& limits) {
  heard_at_ = SteadyClock::now();
  return beat(limits);
}

// ---------------------------------------------------------------- receiving

StepResult<void*> Connection::call(amqp_method_number_t method, void* fields, amqp_method_number_t answer,
                                   const CallLimits& limits) {
  SP_CHECK(send(method, fields, limits));
  return await_method(answer, limits);
}

StepResult<void*> Connection::await_method(amqp_method_number_t method, const CallLimits& limits) {
  SP_TRY(const auto frame, receive(limits));
  if (!frame) return noted<void*>(step_fail("connection", "the broker did not answer in time"));
  if (frame->frame_type != AMQP_FRAME_METHOD || frame->payload.method.id != method)
    return noted<void*>(step_fail("connection", "the broker does not keep to the protocol"));
  return frame->payload.method.decoded;
}

StepResult<std::optional<amqp_frame_t>> Connection::receive(const CallLimits& limits) {
  while (SteadyClock::now() < limits.deadline) {
    SP_TRY(auto frame, noted(next_frame({slice_until(limits.deadline), limits.stop})));
    const auto now = SteadyClock::now();
    if (frame) heard_at_ = now;
    if (heartbeat_ != seconds(0) && now > heard_at_ + 2 * heartbeat_)
      return noted<std::optional<amqp_frame_t>>(step_fail("connection", "the broker has fallen silent"));
    SP_CHECK(beat(limits));
    if (!frame || is_notice(*frame)) continue;
    SP_CHECK(noted(look_at(*frame, limits)));
    return frame;
  }
  return std::nullopt;
}

// The next heartbeat must not wait.
Connection::Time Connection::slice_until(Time deadline) const {
  return heartbeat_ == seconds(0) ? deadline : std::min(deadline, SteadyClock::now() + heartbeat_ / 2);
}

StepResult<std::optional<amqp_frame_t>> Connection::next_frame(const CallLimits& limits) {
  librabbitmq().amqp_maybe_release_buffers(codec_.get());
  for (;;) {
    SP_TRY(auto frame, decoded());
    if (frame) return frame;
    begin_ = 0;
    SP_TRY(end_, wire_->receive(input_, limits));
    if (end_ == 0) return std::nullopt;
  }
}

StepResult<std::optional<amqp_frame_t>> Connection::decoded() {
  while (begin_ < end_) {
    amqp_frame_t frame{};
    const auto rest = std::span(input_).subspan(begin_, end_ - begin_);
    const int used = librabbitmq().amqp_handle_input(codec_.get(), {rest.size(), rest.data()}, &frame);
    if (used < 0)
      return step_fail("connection", fmt::format("the broker does not keep to the protocol: {}",
                                                 librabbitmq().amqp_error_string2(used)));
    begin_ += static_cast<std::size_t>(used);
    if (frame.frame_type == kOtherProtocol) return step_fail("connection", "the broker does not speak AMQP 0-9-1");
    if (frame.frame_type != 0) return frame;
  }
  return std::nullopt;
}

// What ends the channel or the connection. The broker's words may quote names of exchanges and queues: those of a login
// are told, to the log.
StepResult<void> Connection::look_at(const amqp_frame_t& frame, const CallLimits& limits) {
  if (frame.frame_type != AMQP_FRAME_METHOD) return {};
  if (frame.payload.method.id == AMQP_CHANNEL_CLOSE_METHOD) {
    refused_ = true;
    const auto& close = *static_cast<const amqp_channel_close_t*>(frame.payload.method.decoded);
    return std::unexpected(reply_error(close.reply_code, "the broker has closed the channel"));
  }
  if (frame.payload.method.id != AMQP_CONNECTION_CLOSE_METHOD) return {};
  const auto& close = *static_cast<const amqp_connection_close_t*>(frame.payload.method.decoded);
  auto error = reply_error(close.reply_code, "the broker has closed the connection");
  error.message += ": " + with_valid_utf8(text_of(close.reply_text));
  amqp_connection_close_ok_t ok{};
  (void)send_on(0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok, limits);
  return std::unexpected(std::move(error));
}

template <class T>
StepResult<T> Connection::noted(StepResult<T> result) {
  broken_ = broken_ || !result;
  return result;
}

}  // namespace sallyport::connectors::amqp
