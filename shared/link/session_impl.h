#pragma once

#include "shared/async/task_group.h"
#include "shared/link/control.h"
#include "shared/link/link_core.h"
#include "shared/link/session.h"
#include "shared/link/traffic.h"

#include <list>
#include <memory>
#include <span>

namespace sallyport::link {

struct Session::Impl {
  Impl(Session& session, const boost::asio::any_io_executor& on, std::unique_ptr<ByteStream> bytes,
       SessionOptions settings, SessionOwner& works, const Clock& time);

  boost::asio::awaitable<EndReason> run();
  void end(LinkEnd why, std::string message, std::optional<Refusal> refusal = std::nullopt);
  // Refusal to the peer, then the end for `why`.
  void end_with_refusal(LinkEnd why, Refusal refusal);

  // --- loops (session_loops.cc)
  boost::asio::awaitable<void> read_loop();
  boost::asio::awaitable<void> write_loop();
  boost::asio::awaitable<void> handshake();
  boost::asio::awaitable<void> heartbeat();
  boost::asio::awaitable<void> drain_loop(SteadyTime until);
  boost::asio::awaitable<void> farewell();
  bool take_bytes(std::span<const std::byte> bytes);
  std::span<std::byte> chunk_of(std::size_t least);
  void rest();  // gives back memory that nobody has needed lately

  // --- what arrives (session_dispatch.cc)
  void on_event(const mux::MuxEvent& event);
  void on_open(mux::ChannelNumber number, std::string_view purpose);
  void on_control(std::span<const std::byte> bytes);
  void on_handshake_message(const v1::Control& message);
  void on_welcome(const v1::Control& message);
  void on_pong(std::uint64_t nonce);
  void on_go_away(const v1::Control& message);
  void break_off(std::string message);  // the peer broke a rule

  void send(const v1::Control& message);
  void begin_work();  // after the handshake, on both sides
  void begin_draining(std::chrono::milliseconds drain);

  Session& self;
  boost::asio::any_io_executor executor;
  std::unique_ptr<ByteStream> stream;
  SessionOptions options;
  SessionOwner& owner;
  const Clock& clock;
  std::shared_ptr<LinkCore> core;

  mux::Batch batch;                    // the writer's
  std::unique_ptr<std::byte[]> chunk;  // the reader's
  std::size_t chunk_size = 0;
  std::size_t wanted_chunk = 0;  // it reads, or will read, into a chunk of at least so much; 0: into its own frame
  Traffic traffic;

  TaskGroup transfer;  // reader and writer: they see the last message off
  TaskGroup work;      // everything else

  Peer peer;
  std::unique_ptr<Offer> hello;  // on the relay, until it is answered
  Event greeted;                 // Hello or Welcome came
  bool working = false;
  std::list<Incoming> backlog;
  Event incoming;

  std::uint64_t last_ping = 0;
  std::uint64_t last_answered = 0;
  SteadyTime last_ping_at{};
  SteadyTime last_proof{};
  Event proof;
  std::optional<std::chrono::milliseconds> round_trip;

  std::optional<SteadyTime> drain_until;
  bool last_word = false;  // a Refusal is on its way: linger until the peer has read it
  Event written;           // the writer has ended
  Event silent;            // the reader has ended
};

}  // namespace sallyport::link
