#include "shared/tls/nested.h"

#include "shared/async/timeout.h"
#include "shared/tls/engine.h"
#include "shared/tls/operation.h"

#include <algorithm>
#include <utility>

namespace sallyport::tls {
namespace asio = boost::asio;
using asio::awaitable;

namespace {

constexpr std::size_t kReadSize = 16u << 10;
constexpr std::chrono::seconds kLinger{1};  // for an alert to reach the peer

// Shared by a stream and its operations under way, so that the owner may die first.
struct Nested final : RawSource {
  Nested(std::unique_ptr<ByteStream> stream, std::shared_ptr<const ContextCore> core, std::string host)
      : under(std::move(stream)), engine(std::move(core), std::move(host), *this) {}

  RawInput read_raw(std::span<std::byte> into) override {
    if (taken < inbox.size()) {
      const auto size = std::min(into.size(), inbox.size() - taken);
      std::copy_n(inbox.begin() + static_cast<std::ptrdiff_t>(taken), size, into.begin());
      taken += size;
      return {RawInput::Status::data, size};
    }
    return {input, 0};
  }
  void close() noexcept {
    if (std::exchange(closed, true)) return;
    under->close();
  }

  std::unique_ptr<ByteStream> under;
  Bytes inbox;  // empty while nothing is buffered
  std::size_t taken = 0;
  RawInput::Status input = RawInput::Status::would_block;  // what follows the inbox
  TlsEngine engine;
  SessionFacts facts;
  bool closed = false;
  bool reading = false;
  bool writing = false;
  bool cut_off = false;  // a write did not go out whole
};
using Shared = std::shared_ptr<Nested>;

// More from below, once the inbox is used up. That the stream below failed is for the engine to judge, not an error
// here.
awaitable<Result<void>> refill(Shared self) {
  if (self->closed) co_return std::unexpected(cancelled());
  Bytes chunk(kReadSize);
  auto got = co_await self->under->read_some(chunk);
  if (self->closed || (!got && got.error().code == Errc::cancelled)) co_return std::unexpected(cancelled());
  self->input = !got ? RawInput::Status::failed : *got == 0 ? RawInput::Status::end : RawInput::Status::would_block;
  chunk.resize(got.value_or(0));
  self->inbox = std::move(chunk);
  self->taken = 0;
  co_return Result<void>();
}

// What the engine has to say, as one write below; more may come from a read while it is under way.
awaitable<Result<void>> flush(Shared self) {
  while (!self->engine.output().empty()) {
    if (self->closed) co_return std::unexpected(cancelled());
    const auto output = self->engine.output();
    const Bytes wire(output.begin(), output.end());
    self->engine.sent(wire.size());
    SP_CO_CHECK(co_await self->under->write_all(wire));
  }
  co_return Result<void>();
}

using Verdict = Result<std::optional<Refusal>>;

awaitable<Verdict> shake_hands(Shared self) {
  for (;;) {
    const auto step = self->engine.handshake();
    if (step == TlsEngine::Step::failed) co_return self->engine.refusal();
    SP_CO_CHECK(co_await flush(self));
    if (step == TlsEngine::Step::done) co_return std::nullopt;
    SP_CO_CHECK(co_await refill(self));
  }
}

Refusal not_ended(Error error) {
  if (error.code == Errc::timed_out)
    return {reason::kTimedOut, {Errc::timed_out, "the TLS handshake did not end in time"}};
  if (error.code == Errc::cancelled) return {reason::kCancelled, std::move(error)};
  return {reason::kClosed, std::move(error)};
}

// Until the peer has closed.
awaitable<Result<void>> say_why(Shared self) {
  SP_CO_CHECK(co_await flush(self));
  while (self->input == RawInput::Status::would_block) SP_CO_CHECK(co_await refill(self));
  co_return Result<void>();
}

awaitable<Result<void>> end_in_order(Shared self) {
  self->engine.send_close_notify();
  co_return co_await say_why(self);
}

class NestedTlsStream final : public SecureStream {
 public:
  explicit NestedTlsStream(Shared shared) : shared_(std::move(shared)) {}
  ~NestedTlsStream() override { shared_->close(); }

  awaitable<Result<std::size_t>> read_some(std::span<std::byte> into) override;
  awaitable<Result<void>> write_all(std::span<const std::byte> bytes) override;
  void close() noexcept override { shared_->close(); }
  awaitable<void> finish(SteadyTime deadline) override;
  const SessionFacts& facts() const override { return shared_->facts; }
  Result<Bytes> export_keying_material(std::string_view label, std::size_t length) const override {
    return shared_->engine.export_keying_material(label, length);
  }

 private:
  Shared shared_;
};

awaitable<Result<std::size_t>> NestedTlsStream::read_some(std::span<std::byte> into) {
  const auto self = shared_;
  if (into.empty() || self->reading) co_return fail(Errc::internal, "an empty read, or two at a time");
  const Busy busy(self->reading);
  for (;;) {
    if (self->closed) co_return std::unexpected(cancelled());
    SP_CO_TRY(const auto got, self->engine.read(into));
    if (got.kind == TlsEngine::Got::Kind::closed) co_return 0;
    if (got.kind == TlsEngine::Got::Kind::data) co_return got.size;
    self->inbox = Bytes();
    self->taken = 0;
    SP_CO_CHECK(co_await refill(self));
  }
}

awaitable<Result<void>> NestedTlsStream::write_all(std::span<const std::byte> bytes) {
  const auto self = shared_;
  if (self->closed) co_return std::unexpected(cancelled());
  if (self->writing || self->cut_off)
    co_return fail(Errc::internal, "a second write, or one after a write was cut off");
  const Busy busy(self->writing);
  self->cut_off = true;  // until the last byte is below
  while (!bytes.empty()) {
    if (self->closed) co_return std::unexpected(cancelled());
    const auto piece = bytes.first(std::min(bytes.size(), kWritePiece));
    SP_CO_CHECK(self->engine.write(piece));
    SP_CO_CHECK(co_await flush(self));
    bytes = bytes.subspan(piece.size());
  }
  self->cut_off = false;
  co_return Result<void>();
}

awaitable<void> NestedTlsStream::finish(SteadyTime deadline) {
  const auto self = shared_;
  if (!self->closed && !self->reading && !self->writing && !self->cut_off) {
    co_await with_deadline(deadline, end_in_order(self));
  }
  self->close();
}

void note_facts(Nested& self) {
  auto& notes = self.engine.notes();
  self.facts = {std::string(self.engine.version()), std::string(self.engine.cipher()), notes.protocol,
                std::move(notes.chain), std::move(notes.agent)};
}

awaitable<NestedHandshake> establish(Shared self, SteadyTime deadline) {
  auto stream = std::make_unique<NestedTlsStream>(self);  // closes on every way out but the last
  auto verdict = co_await with_deadline(deadline, shake_hands(self));
  if (!verdict) co_return std::unexpected(not_ended(std::move(verdict).error()));
  if (*verdict) {
    const auto farewell = std::min(deadline, std::chrono::steady_clock::now() + kLinger);
    if (!self->engine.output().empty()) co_await with_deadline(farewell, say_why(self));
    co_return std::unexpected(**std::move(verdict));
  }
  note_facts(*self);
  co_return stream;
}

}  // namespace

awaitable<NestedHandshake> accept_nested_tls(std::unique_ptr<ByteStream> under, const ServerContext& context,
                                             SteadyTime deadline) {
  return establish(std::make_shared<Nested>(std::move(under), context.core(), std::string()), deadline);
}

awaitable<NestedHandshake> connect_nested_tls(std::unique_ptr<ByteStream> under, const ClientContext& context,
                                              std::string host, SteadyTime deadline) {
  return establish(std::make_shared<Nested>(std::move(under), context.core(), std::move(host)), deadline);
}

}  // namespace sallyport::tls
