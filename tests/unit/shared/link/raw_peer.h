#pragma once

#include "proto/sallyport/v1/link.pb.h"
#include "shared/async/byte_stream.h"
#include "shared/async/timeout.h"
#include "shared/mux/frame.h"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

// Frames of a test's own making, against a relay's session.
namespace sallyport::test {

inline Bytes frame(mux::ChannelNumber channel, mux::FrameType type, std::string_view payload) {
  Bytes out;
  mux::append_frame(out, {channel, type, as_bytes(payload)});
  return out;
}

inline Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

inline Bytes control(const std::function<void(v1::Control&)>& fill) {
  v1::Control message;
  fill(message);
  return frame(0, mux::FrameType::control, message.SerializeAsString());
}

struct Greeting {
  std::uint32_t protocol_min = 1, protocol_max = 1;
  std::uint32_t window = 256u << 10;
  std::vector<std::string> capabilities{"jobs"};
  std::uint32_t link = 0;
};

inline Bytes hello(const Greeting& greeting = {}) {
  return control([&](auto& c) {
    auto& to = *c.mutable_hello();
    to.set_protocol_min(greeting.protocol_min);
    to.set_protocol_max(greeting.protocol_max);
    to.set_initial_window(greeting.window);
    to.set_software("hostile/1");
    to.set_hostname("host-9");
    to.set_boot_id(std::string(16, 'b'));
    for (const auto& name : greeting.capabilities) to.add_capabilities(name);
    to.set_link(greeting.link);
  });
}

// What the relay says to somebody who speaks so.
struct Heard {
  bool welcomed = false;
  bool sent_away = false;  // by GoAway
  std::string refusal;     // code and message
  bool refused = false;
  bool closed = false;
};

// The other end of a relay's session, with bad manners: writes raw bytes, and listens until the relay closes.
class RawPeer {
 public:
  explicit RawPeer(std::unique_ptr<ByteStream> stream) : stream_(std::move(stream)) {}
  boost::asio::awaitable<void> write(Bytes bytes) { static_cast<void>(co_await stream_->write_all(bytes)); }
  boost::asio::awaitable<bool> greet(Bytes hello) {  // true: the relay said Welcome
    co_await write(std::move(hello));
    co_return (co_await take_in(&Heard::welcomed)).welcomed;
  }
  boost::asio::awaitable<bool> until_sent_away() { co_return (co_await take_in(&Heard::sent_away)).sent_away; }
  boost::asio::awaitable<Heard> listen() {  // until the relay refuses or closes
    (void)co_await take_in(&Heard::closed);
    close();
    co_return heard_;
  }
  void close() { stream_->close(); }

 private:
  // Ten seconds at most. A refusal is the last word: the relay then lingers until this side closes.
  boost::asio::awaitable<Heard> take_in(bool Heard::* until) {
    static_cast<void>(co_await with_timeout(std::chrono::seconds(10), take_in_until(until)));
    co_return heard_;
  }
  boost::asio::awaitable<Result<void>> take_in_until(bool Heard::* until) {
    Bytes chunk(16u << 10);
    while (!(heard_.*until) && !heard_.refused && !heard_.closed) {
      const auto count = co_await stream_->read_some(chunk);
      heard_.closed = !count || *count == 0;
      if (!heard_.closed) hear(std::span(chunk).first(*count));
    }
    co_return Result<void>();
  }
  void hear(std::span<const std::byte> bytes) {
    frames_.feed(bytes);
    for (auto next = frames_.next(); next && *next; next = frames_.next()) {
      v1::Control control;
      if ((*next)->channel != mux::kControlChannel) continue;
      if (!control.ParseFromArray((*next)->payload.data(), static_cast<int>((*next)->payload.size()))) continue;
      heard_.welcomed = heard_.welcomed || control.has_welcome();
      heard_.sent_away = heard_.sent_away || control.has_go_away();
      if (!control.has_refusal()) continue;
      heard_.refused = true;
      heard_.refusal = control.refusal().code() + ": " + control.refusal().message();
    }
  }

  std::unique_ptr<ByteStream> stream_;
  mux::FrameReader frames_;
  Heard heard_;
};

}  // namespace sallyport::test
