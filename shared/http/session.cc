#include "shared/http/session.h"

#include "shared/async/event.h"
#include "shared/async/fault.h"
#include "shared/async/timeout.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"
#include "shared/http/body_reader.h"
#include "shared/http/gate.h"
#include "shared/http/places.h"
#include "shared/http/problem.h"
#include "shared/http/response_text.h"
#include "shared/http/second_reading.h"
#include "shared/http/upgrade.h"
#include "shared/http/upgraded_stream.h"

#include <fmt/format.h>
#include <openssl/rand.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>

namespace sallyport::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;

constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadSize = 8u << 10;
constexpr std::size_t kLongestLoggedPath = 256;
constexpr std::chrono::seconds kUsualPause{2};  // in a handshake, and between two requests

std::string new_request_id() {
  std::array<std::byte, 12> random{};
  if (RAND_bytes(reinterpret_cast<unsigned char*>(random.data()), random.size()) != 1) return "unavailable";
  return base64url(random);
}

// A header block, or why there is none. Neither: the connection is over.
struct Received {
  std::optional<RequestHead> head;
  std::optional<GateRefusal> refusal;
};

class BeastSession final : public Session {
 public:
  BeastSession(asio::ip::tcp::socket socket, std::shared_ptr<asio::ssl::context> tls, SessionServices services,
               Welcome welcome)
      : services_(services),
        welcome_(welcome),
        tls_(std::move(tls)),
        stream_(std::move(socket), tls_.get()),
        draining_(stream_.get_executor()),
        accepted_(std::chrono::steady_clock::now()),
        gate_limits_{.max_header_bytes = services.limits.max_header_bytes,
                     .max_headers = services.limits.max_headers,
                     .max_target = services.limits.max_target} {
    boost::system::error_code ignored;
    lowest().socket().set_option(asio::ip::tcp::no_delay(true), ignored);
    const auto remote = lowest().socket().remote_endpoint(ignored);
    peer_ = ignored ? "unknown" : remote.address().to_string();
  }

  asio::awaitable<void> run() override {
    if (auto shaken = co_await shake_hands(); !shaken) {
      services_.metrics.failed_handshakes.add();
      services_.log.debug("http.handshake_failed", {{"peer", peer_}, {"reason", shaken.error().message}});
      co_return;
    }
    while (!draining_.is_set() && co_await serve_one()) {
    }
    lowest().expires_after(kFarewell);
    co_await stream_.say_farewell();
    if (unread_) co_await discard_rest();
  }

  void drain() override {
    draining_.set();
    if (waiting_) lowest().cancel();
    if (arrival_ == Arrival::silent) abort();
  }
  void abort() override {
    arrival_ = Arrival::inside;
    waiting_ = false;
    lowest().close();
  }
  bool is_upgraded() const override { return upgraded_.has_value(); }
  std::optional<SteadyTime> loiters_since(SteadyTime now) const override {
    if (arrival_ == Arrival::silent) return accepted_;
    if (arrival_ == Arrival::inside && !waiting_) return std::nullopt;
    const auto since = waiting_ ? waiting_since_ : accepted_;
    return now - since > kUsualPause ? std::optional(since) : std::nullopt;
  }

 private:
  beast::tcp_stream& lowest() { return stream_.lowest(); }
  std::string_view buffered() const { return {static_cast<const char*>(buffer_.data().data()), buffer_.size()}; }

  asio::awaitable<Result<void>> shake_hands() {
    const auto deadline = accepted_ + services_.limits.handshake;
    SP_CO_CHECK(co_await with_deadline(deadline, first_bytes()));
    arrival_ = Arrival::shaking_hands;
    lowest().expires_at(deadline);
    const auto failed = co_await stream_.shake_hands();
    if (failed) co_return fail(Errc::unavailable, failed.message());
    arrival_ = Arrival::inside;
    co_return Result<void>();
  }

  asio::awaitable<Result<void>> first_bytes() {
    const auto [failed] = co_await lowest().socket().async_wait(asio::ip::tcp::socket::wait_read, kNoThrow);
    if (failed) co_return fail(Errc::unavailable, failed.message());
    co_return Result<void>();
  }

  // True: the connection may carry another request.
  asio::awaitable<bool> serve_one() {
    auto received = co_await receive_head();
    if (received.refusal) co_return co_await refuse(*received.refusal);
    if (!received.head) co_return false;
    if (welcome_ == Welcome::turn_away) co_return co_await refuse(kTooManyConnections);
    RequestHead head = *std::move(received.head);
    started_ = services_.clock.steady();
    adopt(head);
    auto admission = co_await admit(head);
    if (auto* refusal = std::get_if<Response>(&admission)) {
      unread_ = head.has_body() || head.offers_upgrade;
      co_return co_await send(head, std::move(*refusal));
    }
    co_return co_await serve_admitted(std::move(head), std::get<std::unique_ptr<Exchange>>(std::move(admission)));
  }

  asio::awaitable<bool> serve_admitted(RequestHead head, std::unique_ptr<Exchange> exchange) {
    unread_ = true;
    const auto limit = exchange->body_limit();
    if (head.content_length.value_or(0) > limit) co_return co_await send(head, too_large(limit));
    lowest().expires_after(services_.limits.request);
    if (head.expects_continue && head.has_body()) {
      co_await asio::async_write(stream_, asio::buffer(kContinue.data(), kContinue.size()), kNoThrow);
    }
    auto body = co_await receive_body(head, limit);
    if (!body) co_return co_await send(head, to_response(body.error()));
    if (!*body) co_return false;
    unread_ = head.offers_upgrade;
    Reply reply = co_await answer(*exchange, Request{head, **std::move(body)});
    if (auto* response = std::get_if<Response>(&reply)) co_return co_await send(head, std::move(*response));
    if (auto* upgrade = std::get_if<UpgradeResponse>(&reply)) co_return co_await change_over(head, std::move(*upgrade));
    co_return co_await play_stream(head, std::get<StreamResponse>(std::move(reply)));
  }

  asio::awaitable<Received> receive_head() {
    bool begun = buffer_.size() > 0;
    const bool patient = !begun && welcome_ == Welcome::serve;
    lowest().expires_after(patient ? services_.limits.idle : services_.limits.head);
    waiting_since_ = std::chrono::steady_clock::now();
    for (std::size_t scanned = 0;;) {
      const auto end = find_head_end(buffered(), gate_limits_, scanned);
      if (!end) co_return Received{{}, end.error()};
      if (*end) co_return read_head(**end);
      scanned = buffer_.size();
      waiting_ = !begun;
      const auto [failed, count] = co_await stream_.async_read_some(buffer_.prepare(kReadSize), kNoThrow);
      waiting_ = false;
      if (failed) co_return Received{};
      buffer_.commit(count);
      if (patient && !begun) lowest().expires_after(services_.limits.head);
      begun = true;
    }
  }

  // Nothing: the connection is over.
  asio::awaitable<std::expected<std::optional<std::string>, Problem>> receive_body(const RequestHead& head,
                                                                                   std::size_t limit) {
    BodyReader reader(head, limit);
    for (;;) {
      const auto used = reader.feed(buffered());
      if (!used) co_return std::unexpected(used.error());
      wipe(buffer_.data().data(), *used);  // some bodies have a secret
      buffer_.consume(*used);
      if (reader.done()) co_return reader.take();
      const auto [failed, count] = co_await stream_.async_read_some(buffer_.prepare(kReadSize), kNoThrow);
      if (failed) co_return std::nullopt;
      buffer_.commit(count);
    }
  }

  Received read_head(std::size_t size) {
    const auto block = buffered().substr(0, size);
    auto head = check_head(block, gate_limits_);
    if (!head) return {{}, std::move(head).error()};
    if (!second_reading_agrees(*head, block)) return {{}, GateRefusal{400, "ambiguous", "The request is ambiguous."}};
    buffer_.consume(size);
    return {*std::move(head), {}};
  }

  void adopt(RequestHead& head) const {
    const auto* wanted = head.headers.find("X-Request-Id");
    head.request_id = wanted != nullptr && is_request_id(*wanted) ? *wanted : new_request_id();
    head.peer = peer_;
    head.deadline = started_ + services_.limits.request;
  }

  // The fence: an exception in a handler costs one answer, never the process.
  asio::awaitable<Admission> admit(const RequestHead& head) {
    try {
      co_return co_await services_.handler.admit(head);
    } catch (const std::exception& fault) {
      services_.log.error("http.admit_failed", {{"request_id", head.request_id}, {"reason", fault.what()}});
    }
    co_return to_response(kBroken);
  }
  asio::awaitable<Reply> answer(Exchange& exchange, Request request) {
    const auto id = request.head.request_id;
    try {
      co_return co_await exchange.answer(std::move(request));
    } catch (const std::exception& fault) {
      services_.log.error("http.handler_failed", {{"request_id", id}, {"reason", fault.what()}});
    }
    co_return to_response(kBroken);
  }

  asio::awaitable<bool> refuse(const GateRefusal& refusal) {
    services_.metrics.refused_requests.add();
    services_.log.warn("http.refused", {{"peer", peer_}, {"reason", refusal.code}, {"status", refusal.status}});
    started_ = services_.clock.steady();
    RequestHead head;
    head.request_id = new_request_id();
    head.keep_alive = false;
    unread_ = true;
    co_return co_await send(head, to_response({refusal.status, refusal.code, refusal.detail, {}}));
  }

  asio::awaitable<bool> send(const RequestHead& head, Response response) {
    const bool keep = head.keep_alive && !unread_ && !draining_.is_set();
    const auto text =
        response_text(response, head.request_id, head.method == Method::head ? Content::omit : Content::send,
                      keep ? Connection::keep : Connection::close, services_.clock.wall());
    lowest().expires_after(services_.limits.request);
    const auto [failed, count] = co_await asio::async_write(stream_, asio::buffer(text), kNoThrow);
    record(head, response.status, count, response.actor);
    co_return keep && !failed;
  }

  // False always: no request follows.
  asio::awaitable<bool> change_over(const RequestHead& head, UpgradeResponse upgrade) {
    if (!asks_for(head, upgrade.protocol)) {
      auto refusal = upgrade_required(upgrade.protocol);
      refusal.actor = std::move(upgrade.actor);
      co_return co_await send(head, std::move(refusal));
    }
    if (services_.places.upgraded >= services_.limits.max_upgraded()) {
      services_.metrics.refused_connections.add();
      co_return co_await send(head, no_place(upgrade.actor));
    }
    upgraded_.emplace(services_.places, services_.metrics);
    const auto text = upgrade_head_text(upgrade.protocol, upgrade.headers, head.request_id, services_.clock.wall());
    lowest().expires_after(services_.limits.request);
    const auto [failed, count] = co_await asio::async_write(stream_, asio::buffer(text), kNoThrow);
    record(head, 101, count, upgrade.actor);
    unread_ = false;
    if (failed) co_return false;
    lowest().expires_never();
    UpgradeFigures figures;
    co_await serve_upgraded(head, std::move(upgrade.serve), figures);
    upgraded_.reset();
    record_upgraded(head, upgrade.protocol, figures, upgrade.actor);
    co_return false;
  }

  asio::awaitable<void> serve_upgraded(const RequestHead& head,
                                       std::function<asio::awaitable<void>(std::unique_ptr<ByteStream>)> serve,
                                       UpgradeFigures& figures) {
    try {
      co_await serve(std::make_unique<UpgradedStream>(stream_, buffer_, figures));
    } catch (const std::exception& fault) {
      if (is_cancellation(std::current_exception())) co_return;
      services_.log.error("http.handler_failed", {{"request_id", head.request_id}, {"reason", fault.what()}});
    }
  }

  // False always: no request follows.
  asio::awaitable<bool> play_stream(const RequestHead& head, StreamResponse response) {
    using namespace asio::experimental::awaitable_operators;
    if (!services_.places.streams.has_place_for(response.actor)) {
      services_.metrics.refused_connections.add();
      co_return co_await send(head, no_place(response.actor));
    }
    const StreamPlace place(services_.places, services_.metrics, response.actor);
    const auto text = stream_head_text(response.headers, head.request_id, services_.clock.wall());
    lowest().expires_after(services_.limits.stream_write);
    const auto [failed, count] = co_await asio::async_write(stream_, asio::buffer(text), kNoThrow);
    record(head, 200, count, response.actor);
    if (failed || head.method == Method::head) co_return false;
    // The reading side starts first, without a deadline: later deadlines then concern writes only.
    co_await (wait_for_close() || pump(*response.events));
    lowest().expires_after(services_.limits.stream_write);
    co_await asio::async_write(stream_, asio::buffer(kLastChunk.data(), kLastChunk.size()), kNoThrow);
    co_return false;
  }

  asio::awaitable<void> wait_for_close() {
    for (;;) {
      lowest().expires_never();
      const auto [failed, count] = co_await stream_.async_read_some(asio::buffer(scrap_), kNoThrow);
      if (failed) co_return;
    }
  }

  asio::awaitable<void> pump(EventSource& source) {
    for (;;) {
      const auto event = co_await next_event(source);
      if (!event) co_return;
      const auto chunk = event_chunk(*event);
      lowest().expires_after(services_.limits.stream_write);
      const auto [failed, count] = co_await asio::async_write(stream_, asio::buffer(chunk), kNoThrow);
      if (failed) co_return;
    }
  }

  // Waits for the source alone, so that the server's end never cuts a write in half.
  asio::awaitable<std::optional<ServerEvent>> next_event(EventSource& source) {
    using namespace asio::experimental::awaitable_operators;
    if (draining_.is_set()) co_return std::nullopt;
    auto first = co_await (source.next(services_.clock.steady() + services_.limits.stream_beat) || draining_.wait());
    if (first.index() == 1) co_return std::nullopt;
    co_return std::get<0>(std::move(first));
  }

  // The peer still sends a body nobody wants: read a little, so that it sees the answer before a reset.
  asio::awaitable<void> discard_rest() {
    lowest().socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored_);
    lowest().expires_after(kLinger);
    for (std::size_t total = 0; total < kLingerBytes;) {
      const auto [failed, count] = co_await lowest().async_read_some(asio::buffer(scrap_), kNoThrow);
      if (failed) break;
      total += count;
    }
  }

  void record(const RequestHead& head, int status, std::size_t sent, const std::string& actor) {
    const auto took = std::chrono::duration<double>(services_.clock.steady() - started_).count();
    services_.metrics.answered(status, took);
    services_.log.info("http.request", {{"request_id", head.request_id},
                                        {"method", to_string(head.method)},
                                        {"path", std::string_view(head.path).substr(0, kLongestLoggedPath)},
                                        {"status", status},
                                        {"sent", sent},
                                        {"ms", took * 1000},
                                        {"peer", peer_},
                                        {"actor", actor}});
  }

  void record_upgraded(const RequestHead& head, const std::string& protocol, const UpgradeFigures& figures,
                       const std::string& actor) {
    const auto took = std::chrono::duration<double>(services_.clock.steady() - started_).count();
    services_.log.info("http.upgrade_ended", {{"request_id", head.request_id},
                                              {"path", std::string_view(head.path).substr(0, kLongestLoggedPath)},
                                              {"protocol", protocol},
                                              {"received", figures.received},
                                              {"sent", figures.sent},
                                              {"ms", took * 1000},
                                              {"peer", peer_},
                                              {"actor", actor}});
  }

  static Response too_large(std::size_t limit) {
    return to_response({413, "too_large", fmt::format("The body may have at most {} bytes here.", limit), {}});
  }

  static Response no_place(const std::string& actor) {
    auto response = to_response(kNoPlace);
    response.headers.set("Retry-After", "10");
    response.actor = actor;
    return response;
  }

  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  static constexpr std::chrono::seconds kFarewell{1};
  static constexpr std::chrono::seconds kLinger{2};
  static constexpr std::size_t kLingerBytes = 4u << 20;
  inline static const GateRefusal kTooManyConnections{
      429, "too_many_connections", "Too many connections from your address; close some, then try again."};
  inline static const Problem kNoPlace{
      503, "unavailable", "All places of this relay for connections that stay open are taken; try again later.", {}};
  inline static const Problem kBroken{500, "internal", "Something broke here. The request id finds it in the log.", {}};

  SessionServices services_;
  Welcome welcome_;
  std::shared_ptr<asio::ssl::context> tls_;
  EdgeStream stream_;
  beast::flat_buffer buffer_;
  Event draining_;
  SteadyTime accepted_;
  GateLimits gate_limits_;
  std::string peer_;
  SteadyTime started_;
  enum class Arrival { silent, shaking_hands, inside } arrival_ = Arrival::silent;
  bool waiting_ = false;  // for the first byte of a request
  SteadyTime waiting_since_;
  std::optional<UpgradePlace> upgraded_;
  bool unread_ = false;  // the peer has sent, or will send, bytes that nobody reads
  std::array<char, 4096> scrap_{};
  boost::system::error_code ignored_;
};

}  // namespace

std::unique_ptr<Session> make_session(asio::ip::tcp::socket socket, std::shared_ptr<asio::ssl::context> tls,
                                      SessionServices services, Welcome welcome) {
  return std::make_unique<BeastSession>(std::move(socket), std::move(tls), services, welcome);
}

}  // namespace sallyport::http
