#include "relay/gateway/first_words.h"

#include "shared/base/text.h"
#include "shared/tls/client_hello.h"
#include "shared/tls/context.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>

namespace sallyport::gateway {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace {

constexpr std::size_t kLeast = 5;  // the header of a TLS record

Error broke(const boost::system::error_code& why) { return {Errc::unavailable, "the socket broke: " + why.message()}; }

bool offers_ours(const tls::OfferedProtocols& offered) {
  return std::ranges::any_of(
      offered.names, [](const std::string& name) { return name == tls::kLinkProtocol || name == tls::kEnrolProtocol; });
}

// Looks at what has come without taking it. The kernel wakes it only when as much is there as the next look needs.
class PeekedLine final : public Line {
 public:
  explicit PeekedLine(tcp::socket& socket) : socket_(socket) {}
  ~PeekedLine() override { static_cast<void>(wake_at(1)); }
  PeekedLine(const PeekedLine&) = delete;
  PeekedLine& operator=(const PeekedLine&) = delete;

  asio::awaitable<Result<void>> readable() override;
  void turn_away() override {
    boost::system::error_code ignored;
    socket_.cancel(ignored);
  }
  Caller caller() const { return caller_; }

 private:
  boost::system::error_code wake_at(std::size_t bytes) {
    boost::system::error_code error;
    socket_.set_option(asio::socket_base::receive_low_watermark(static_cast<int>(bytes)), error);
    return error;
  }
  struct Seen {
    std::size_t bytes = 0;
    tls::FirstWords words;
  };
  Result<Seen> look();

  tcp::socket& socket_;
  Caller caller_ = Caller::web;
};

// Nobody holds memory for what has not come yet.
Result<PeekedLine::Seen> PeekedLine::look() {
  std::array<std::byte, tls::kMaxClientHello> begin;
  boost::system::error_code error;
  const auto size = socket_.receive(asio::buffer(begin), tcp::socket::message_peek, error);
  if (error == asio::error::would_block || error == asio::error::try_again) return Seen{0, tls::MoreNeeded{kLeast}};
  if (error == asio::error::eof) return fail(Errc::unavailable, "the caller closed before it said what it wants");
  if (error) return std::unexpected(broke(error));
  return Seen{size, tls::read_first_words(std::span(begin).first(size))};
}

asio::awaitable<Result<void>> PeekedLine::readable() {
  boost::system::error_code error;
  socket_.non_blocking(true, error);
  for (std::size_t needed = kLeast, seen = 0; !error;) {
    if (error = wake_at(needed); error) break;
    const auto [bad] = co_await socket_.async_wait(tcp::socket::wait_read, asio::as_tuple(asio::use_awaitable));
    if (bad == asio::error::operation_aborted) co_return fail(Errc::cancelled, "cancelled");
    if (error = bad; error) break;
    SP_CO_TRY(const auto now, look());
    const auto* more = std::get_if<tls::MoreNeeded>(&now.words);
    if (more == nullptr) {
      const auto* offered = std::get_if<tls::OfferedProtocols>(&now.words);
      caller_ = offered != nullptr && offers_ours(*offered) ? Caller::agent : Caller::web;
      co_return Result<void>();
    }
    if (now.bytes > 0 && now.bytes <= seen)
      co_return fail(Errc::unavailable, "the caller closed in the middle of a ClientHello");
    seen = now.bytes;
    needed = more->bytes;
  }
  co_return std::unexpected(broke(error));
}

}  // namespace

asio::awaitable<Result<Caller>> tell_apart(Doorway::Guest& guest, tcp::socket& socket, SteadyTime deadline) {
  PeekedLine line(socket);
  SP_CO_CHECK(co_await guest.wait_for_word(line, deadline));
  co_return line.caller();
}

}  // namespace sallyport::gateway
