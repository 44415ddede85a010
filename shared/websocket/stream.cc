#include "shared/websocket/stream.h"

#include "shared/async/event.h"
#include "shared/crypto/random.h"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <utility>

namespace sallyport::websocket {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kReadSize = 16u << 10;

// Shared by a stream and its operations under way, so that the owner may die first.
struct State {
  State(const asio::any_io_executor& executor, std::unique_ptr<ByteStream> stream, Side which)
      : under(std::move(stream)),
        side(which),
        reader(which == Side::client ? Side::server : Side::client),
        free(executor) {}

  void close() noexcept {
    if (std::exchange(closed, true)) return;
    under->close();
    free.set();
  }

  std::unique_ptr<ByteStream> under;
  Side side;
  FrameReader reader;
  Part data;  // of which the first `given` bytes have been read
  std::size_t given = 0;
  std::optional<Part> answer;  // to a ping or a close, not yet sent
  Event free;                  // of a writer
  bool writing = false;
  bool cut_off = false;  // a frame did not go out whole
  bool ended = false;    // a close has come
  bool closed = false;
};
using Shared = std::shared_ptr<State>;

Error cancelled() { return {Errc::cancelled, "the stream was closed or the operation cancelled"}; }

// Gives the next writer its turn.
class Writing {
 public:
  explicit Writing(State& state) : state_(state) { state_.writing = true; }
  ~Writing() {
    state_.writing = false;
    state_.free.set();
  }
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;

 private:
  State& state_;
};

Bytes frame(Side side, Opcode opcode, std::span<const std::byte> payload) {
  std::optional<MaskKey> mask;
  if (side == Side::client) crypto::fill_random(mask.emplace());
  Bytes bytes;
  bytes.reserve(payload.size() + 14);
  append_frame(bytes, opcode, payload, mask);
  return bytes;
}

asio::awaitable<Result<void>> send(Shared self, Opcode opcode, std::span<const std::byte> payload) {
  if (self->cut_off) co_return fail(Errc::internal, "a write after one that was cut off");
  const auto bytes = frame(self->side, opcode, payload);
  self->cut_off = true;
  SP_CO_CHECK(co_await self->under->write_all(bytes));
  self->cut_off = false;
  co_return Result<void>();
}

// Only while nobody else writes.
asio::awaitable<Result<void>> send_answers(Shared self) {
  while (const auto answer = std::exchange(self->answer, std::nullopt)) {
    SP_CO_CHECK(co_await send(self, answer->kind, answer->bytes));
  }
  co_return Result<void>();
}

asio::awaitable<Result<void>> answer_now(Shared self) {
  if (self->writing) co_return Result<void>();  // the one who writes sends it
  const Writing turn(*self);
  co_return co_await send_answers(self);
}

// What a part that is not data asks for.
void take(State& self, Part part) {
  if (part.kind == Opcode::close) {
    self.ended = true;
    part.bytes.resize(std::min<std::size_t>(part.bytes.size(), 2));  // the status alone, as it came (§5.5.1)
    self.answer = Part{Opcode::close, std::move(part.bytes)};
  } else if (part.kind == Opcode::ping && !self.ended) {
    self.answer = Part{Opcode::pong, std::move(part.bytes)};
  }
}

class Stream final : public ByteStream {
 public:
  explicit Stream(Shared shared) : shared_(std::move(shared)) {}
  ~Stream() override { shared_->close(); }
  asio::awaitable<Result<std::size_t>> read_some(std::span<std::byte> into) override;
  asio::awaitable<Result<void>> write_all(std::span<const std::byte> bytes) override;
  void close() noexcept override { shared_->close(); }

 private:
  Shared shared_;
};

std::size_t give(State& self, std::span<std::byte> into) {
  const auto size = std::min(into.size(), self.data.bytes.size() - self.given);
  std::copy_n(self.data.bytes.begin() + static_cast<std::ptrdiff_t>(self.given), size, into.begin());
  self.given += size;
  if (self.given == self.data.bytes.size()) self.data.bytes = {};
  return size;
}

asio::awaitable<Result<std::size_t>> Stream::read_some(std::span<std::byte> into) {
  const auto self = shared_;
  while (!self->ended) {
    if (self->closed) co_return std::unexpected(cancelled());
    if (!self->data.bytes.empty()) co_return give(*self, into);
    SP_CO_TRY(auto part, self->reader.next());
    if (part && part->kind == Opcode::binary) {
      self->data = *std::move(part);
      self->given = 0;
    } else if (part) {
      take(*self, *std::move(part));
      SP_CO_CHECK(co_await answer_now(self));
    } else {
      Bytes chunk(kReadSize);
      SP_CO_TRY(const auto count, co_await self->under->read_some(chunk));
      if (count == 0) co_return std::size_t{0};
      self->reader.feed(std::span(chunk).first(count));
    }
  }
  co_return std::size_t{0};
}

asio::awaitable<Result<void>> Stream::write_all(std::span<const std::byte> bytes) {
  const auto self = shared_;
  while (self->writing && !self->closed) {
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) co_return std::unexpected(cancelled());
    self->free.clear();
    co_await self->free.wait();
  }
  if (self->closed) co_return std::unexpected(cancelled());
  const Writing turn(*self);
  while (!bytes.empty()) {
    if (self->closed) co_return std::unexpected(cancelled());
    if (self->ended) co_return fail(Errc::unavailable, "the other side has closed the WebSocket");
    const auto piece = bytes.first(std::min(bytes.size(), kMessageSize));
    SP_CO_CHECK(co_await send(self, Opcode::binary, piece));
    SP_CO_CHECK(co_await send_answers(self));
    bytes = bytes.subspan(piece.size());
  }
  co_return Result<void>();
}

}  // namespace

std::unique_ptr<ByteStream> make_stream(const asio::any_io_executor& executor, std::unique_ptr<ByteStream> under,
                                        Side side, Bytes first) {
  auto state = std::make_shared<State>(executor, std::move(under), side);
  state->reader.feed(first);
  return std::make_unique<Stream>(std::move(state));
}

}  // namespace sallyport::websocket
