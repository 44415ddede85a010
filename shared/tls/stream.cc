#include "shared/tls/stream.h"

#include "shared/async/timeout.h"
#include "shared/tls/engine.h"
#include "shared/tls/operation.h"
#include "shared/tls/socket.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>

namespace sallyport::tls {
namespace asio = boost::asio;
using asio::awaitable;

namespace {

constexpr std::size_t kTurn = 256u << 10;   // bytes before other work of the loop gets its turn
constexpr std::size_t kLittle = 4u << 10;   // who has sent less has seldom sent more in the meantime
constexpr std::chrono::seconds kLinger{1};  // for an alert to reach the peer

Error broke(const boost::system::error_code& why) {
  return {Errc::unavailable, "the connection broke: " + why.message()};
}

awaitable<bool> was_cancelled() {
  const auto state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}

}  // namespace

struct TlsStream::Impl final : RawSource {
  Impl(asio::ip::tcp::socket s, std::shared_ptr<const ContextCore> core, std::string host)
      : socket(std::move(s)), engine(std::move(core), std::move(host), *this) {}

  RawInput read_raw(std::span<std::byte> into) override;
  Result<bool> flush_some();  // true = nothing is left to send
  Result<TlsEngine::Got> read_records(std::span<std::byte> into);
  void close() noexcept;

  asio::ip::tcp::socket socket;
  boost::system::error_code input_error;
  std::optional<Error> broken;  // after the bytes that came before it
  TlsEngine engine;
  SessionFacts facts;
  std::size_t turn = 0;     // bytes since this stream last let others run
  std::size_t arrived = 0;  // bytes since the socket said that there were some
  bool drained = false;     // there is nothing to read until it says so again
  bool established = false;
  bool closed = false;
  bool reading = false;
  bool writing = false;
  bool cut_off = false;  // a write did not go out whole
};

namespace {

using Shared = std::shared_ptr<TlsStream::Impl>;

awaitable<Result<void>> wait_for(Shared self, asio::socket_base::wait_type what) {
  if (self->closed || co_await was_cancelled()) co_return std::unexpected(cancelled());
  self->turn = 0;
  const auto [error] = co_await self->socket.async_wait(what, asio::as_tuple(asio::use_awaitable));
  if (what == asio::socket_base::wait_read) {
    self->arrived = 0;
    self->drained = false;
  }
  if (self->closed || error == asio::error::operation_aborted) co_return std::unexpected(cancelled());
  if (error) co_return std::unexpected(broke(error));
  co_return Result<void>();
}

awaitable<Result<void>> flush(Shared self) {
  for (;;) {
    if (self->closed) co_return std::unexpected(cancelled());
    SP_CO_TRY(const bool done, self->flush_some());
    if (done) co_return Result<void>();
    SP_CO_CHECK(co_await wait_for(self, asio::socket_base::wait_write));
  }
}

awaitable<Result<void>> give_way(Shared self) {
  if (self->turn < kTurn) co_return Result<void>();
  if (co_await was_cancelled()) co_return std::unexpected(cancelled());
  self->turn = 0;
  co_await asio::post(asio::use_awaitable);
  co_return Result<void>();
}

void note_facts(TlsStream::Impl& self) {
  auto& notes = self.engine.notes();
  self.facts = {std::string(self.engine.version()), std::string(self.engine.cipher()), notes.protocol,
                std::move(notes.chain), std::move(notes.agent)};
  self.established = true;
}

// Lets an alert arrive: a socket closed over unread input resets the connection, and the alert with it.
awaitable<Result<void>> say_why(Shared self) {
  SP_CO_CHECK(co_await flush(self));
  boost::system::error_code ignored;
  self->socket.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  Bytes dropped(4096);
  for (;;) {
    const auto input = self->read_raw(dropped);
    if (input.status == RawInput::Status::end || input.status == RawInput::Status::failed) co_return Result<void>();
    if (input.status == RawInput::Status::would_block)
      SP_CO_CHECK(co_await wait_for(self, asio::socket_base::wait_read));
  }
}

using Verdict = Result<std::optional<Refusal>>;

awaitable<Verdict> shake_hands(Shared self) {
  for (;;) {
    const auto step = self->engine.handshake();
    if (step == TlsEngine::Step::failed) co_return self->engine.refusal();
    SP_CO_CHECK(co_await flush(self));
    if (step == TlsEngine::Step::done) break;
    SP_CO_CHECK(co_await wait_for(self, asio::socket_base::wait_read));
  }
  co_return std::nullopt;
}

Refusal not_ended(Error error) {
  if (error.code == Errc::timed_out)
    return {reason::kTimedOut, {Errc::timed_out, "the TLS handshake did not end in time"}};
  if (error.code == Errc::cancelled) return {reason::kCancelled, std::move(error)};
  return {reason::kClosed, std::move(error)};
}

awaitable<Handshake> establish(Shared self, SteadyTime deadline) {
  auto stream = std::make_unique<TlsStream>(self);  // closes on every way out but the last
  boost::system::error_code error;
  self->socket.non_blocking(true, error);
  if (error) co_return std::unexpected(Refusal{reason::kClosed, broke(error)});
  if (auto prepared = prepare_socket(self->socket); !prepared) {
    co_return std::unexpected(Refusal{reason::kClosed, std::move(prepared).error()});
  }
  auto verdict = co_await with_deadline(deadline, shake_hands(self));
  if (!verdict) co_return std::unexpected(not_ended(std::move(verdict).error()));
  if (*verdict) {
    const auto farewell = std::min(deadline, std::chrono::steady_clock::now() + kLinger);
    if (!self->engine.output().empty()) co_await with_deadline(farewell, say_why(self));
    if (self->engine.notes().core.role == Role::carrier_client) (*verdict)->shown = self->engine.notes().chain;
    co_return std::unexpected(**std::move(verdict));
  }
  note_facts(*self);
  co_return stream;
}

awaitable<Result<void>> end_in_order(Shared self) {
  self->engine.send_close_notify();
  co_return co_await say_why(self);
}

}  // namespace

RawInput TlsStream::Impl::read_raw(std::span<std::byte> into) {
  if (drained) return {};
  const auto size = socket.read_some(asio::buffer(into.data(), into.size()), input_error);
  if (!input_error) {
    arrived += size;
    drained = arrived < kLittle && size < into.size();
    return {RawInput::Status::data, size};
  }
  if (input_error == asio::error::would_block || input_error == asio::error::try_again) return {};
  return {input_error == asio::error::eof ? RawInput::Status::end : RawInput::Status::failed, 0};
}

// As many records as have arrived and fit.
Result<TlsEngine::Got> TlsStream::Impl::read_records(std::span<std::byte> into) {
  if (broken) return std::unexpected(*broken);
  std::size_t size = 0;
  while (size < into.size()) {
    const auto got = engine.read(into.subspan(size));
    if (!got) broken = got.error();
    if (size > 0 && (!got || got->kind != TlsEngine::Got::Kind::data)) break;  // the next call tells
    if (!got || got->kind != TlsEngine::Got::Kind::data) return got;
    size += got->size;
  }
  return TlsEngine::Got{TlsEngine::Got::Kind::data, size};
}

Result<bool> TlsStream::Impl::flush_some() {
  while (!engine.output().empty()) {
    boost::system::error_code error;
    const auto left = engine.output();
    const auto size = socket.write_some(asio::buffer(left.data(), left.size()), error);
    if (error == asio::error::would_block || error == asio::error::try_again) return false;
    if (error) return std::unexpected(broke(error));
    engine.sent(size);
  }
  return true;
}

void TlsStream::Impl::close() noexcept {
  if (closed) return;
  closed = true;
  if (established && !writing && !cut_off) {
    engine.send_close_notify();
    [[maybe_unused]] const auto sent = flush_some();
  }
  boost::system::error_code ignored;
  socket.close(ignored);
}

TlsStream::TlsStream(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsStream::~TlsStream() { impl_->close(); }
void TlsStream::close() noexcept { impl_->close(); }
const SessionFacts& TlsStream::facts() const { return impl_->facts; }

Result<Bytes> TlsStream::export_keying_material(std::string_view label, std::size_t length) const {
  return impl_->engine.export_keying_material(label, length);
}

awaitable<Result<std::size_t>> TlsStream::read_some(std::span<std::byte> into) {
  const auto self = impl_;
  if (into.empty() || self->reading) co_return fail(Errc::internal, "an empty read, or two at a time");
  const Busy busy(self->reading);
  for (;;) {
    if (self->closed) co_return std::unexpected(cancelled());
    SP_CO_CHECK(co_await give_way(self));
    const auto got = self->read_records(into);
    // Only alerts and answers to key updates can be waiting here; what the kernel does not take leaves with the next
    // write.
    if (!self->writing) {
      [[maybe_unused]] const auto sent = self->flush_some();
    }
    if (!got) co_return std::unexpected(got.error());
    if (got->kind == TlsEngine::Got::Kind::closed) co_return 0;
    if (got->kind == TlsEngine::Got::Kind::data) {
      self->turn += got->size;
      co_return got->size;
    }
    SP_CO_CHECK(co_await wait_for(self, asio::socket_base::wait_read));
  }
}

awaitable<Result<void>> TlsStream::write_all(std::span<const std::byte> bytes) {
  co_return co_await write_pieces({&bytes, 1});
}

awaitable<Result<void>> TlsStream::write_pieces(std::span<const std::span<const std::byte>> pieces) {
  const auto self = impl_;
  if (self->closed) co_return std::unexpected(cancelled());
  if (self->writing || self->cut_off)
    co_return fail(Errc::internal, "a second write, or one after a write was cut off");
  const Busy busy(self->writing);
  self->cut_off = true;  // until the last byte is with the kernel
  for (auto bytes : pieces) {
    while (!bytes.empty()) {
      SP_CO_CHECK(co_await give_way(self));
      if (self->closed) co_return std::unexpected(cancelled());
      const auto piece = bytes.first(std::min(bytes.size(), kWritePiece));
      SP_CO_CHECK(self->engine.write(piece));
      if (self->engine.output().size() >= kWritePiece) SP_CO_CHECK(co_await flush(self));
      self->turn += piece.size();
      bytes = bytes.subspan(piece.size());
    }
  }
  SP_CO_CHECK(co_await flush(self));
  self->cut_off = false;
  co_return Result<void>();
}

awaitable<void> TlsStream::finish(SteadyTime deadline) {
  const auto self = impl_;
  if (!self->closed && self->established && !self->reading && !self->writing && !self->cut_off) {
    co_await with_deadline(deadline, end_in_order(self));
  }
  self->established = false;  // close_notify is out, or will not be
  self->close();
}

awaitable<Handshake> accept_tls(asio::ip::tcp::socket socket, const ServerContext& context, SteadyTime deadline) {
  return establish(std::make_shared<TlsStream::Impl>(std::move(socket), context.core(), std::string()), deadline);
}

awaitable<Handshake> connect_tls(asio::ip::tcp::socket socket, const ClientContext& context, std::string host,
                                 SteadyTime deadline) {
  return establish(std::make_shared<TlsStream::Impl>(std::move(socket), context.core(), std::move(host)), deadline);
}

}  // namespace sallyport::tls
