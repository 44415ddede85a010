#include "proto/sallyport/v1/link.pb.h"
#include "tests/link/relay/gateway_rig.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;
using mux::FrameType;

namespace {

Bytes welcome(std::uint32_t protocol = 1, std::uint32_t window = 256u << 10) {
  return control([&](v1::Control& message) {
    auto& to = *message.mutable_welcome();
    to.set_protocol(protocol);
    to.set_initial_window(window);
    to.set_heartbeat_ms(5'000);
  });
}

// Has the deployment's own certificate, so it is the relay as far as TLS goes; then it says what a test wants.
class Impostor {
 public:
  Impostor(asio::any_io_executor loop, GatewayRig& rig)
      : acceptor_(loop, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
        context_(
            must(tls::make_server_context({rig.world.deployment.server.certificate, rig.world.deployment.server.key,
                                           rig.world.deployment.root, rig.world.deployment.trust_domain},
                                          rig.world.clock))),
        tasks_(loop, [](const auto&, auto) {}) {
    tasks_.spawn("accept", accept_loop());
  }
  agent::Endpoint endpoint() const { return {"127.0.0.1", acceptor_.local_endpoint().port()}; }
  awaitable<void> finish() {
    acceptor_.close();
    tasks_.stop();
    co_await tasks_.join();
  }
  Bytes says;
  enum class Then { waits, closes } then = Then::waits;
  int links = 0;

 private:
  awaitable<void> accept_loop() {
    for (;;) {
      auto [bad, socket] = co_await acceptor_.async_accept(asio::as_tuple(asio::use_awaitable));
      if (bad) co_return;
      tasks_.spawn("link", play(std::move(socket)));
    }
  }
  awaitable<void> play(tcp::socket socket) {
    auto stream = co_await tls::accept_tls(std::move(socket), context_, std::chrono::steady_clock::now() + 5s);
    if (!stream) co_return;
    ++links;
    Bytes chunk(16u << 10);
    auto got = co_await (*stream)->read_some(chunk);  // its Hello
    if (!got) co_return;
    const Bytes bytes = says;
    static_cast<void>(co_await (*stream)->write_all(bytes));
    if (then == Then::closes) co_return;
    while (got && *got > 0) got = co_await (*stream)->read_some(chunk);
  }

  tcp::acceptor acceptor_;
  tls::ServerContext context_;
  TaskGroup tasks_;
};

}  // namespace

ASYNC_TEST_CASE("whatever a relay says, its agent ends the link with a reason and comes again", "[link]") {
  auto loop = co_await asio::this_coro::executor;
  GatewayRig rig(loop);
  co_await rig.start();
  auto identity = co_await rig.enrolled();
  Impostor impostor(loop, rig);
  identity.relay = impostor.endpoint();
  struct Move {
    std::string what;
    Bytes says;
    Impostor::Then then;
    std::string problem;
  };
  using enum Impostor::Then;
  const std::string_view page = "HTTP/1.1 200 OK\r\n\r\n<html>";
  const std::vector<Move> moves = {
      {"a web page", Bytes(as_bytes(page).begin(), as_bytes(page).end()), waits, "P4"},
      {"nothing, and closes", {}, closes, "closed"},
      {"half a header", Bytes(5, std::byte{0}), closes, "closed"},
      {"an endless frame", joined({Bytes(4, std::byte{0}), Bytes{std::byte{1}}, Bytes(3, std::byte{0xff})}), waits,
       "P4.3"},
      {"no protobuf", frame(0, FrameType::control, "\xff\xff"), waits, "P3"},
      {"Hello", hello(), waits, "P3.2"},
      {"a version of the future", welcome(9), waits, "P8.2"},
      {"no window", welcome(1, 0), waits, "P3.5"},
      {"a Pong first", control([](auto& c) { c.mutable_pong()->set_nonce(1); }), waits, "P3.2"},
      {"Welcome twice", joined({welcome(), welcome()}), waits, "P3.2"},
      {"an answer to no Ping", joined({welcome(), control([](auto& c) { c.mutable_pong()->set_nonce(77); })}), waits,
       "P10.2"},
      {"data for no channel", joined({welcome(), frame(8, FrameType::data, "x")}), waits, "P5.4"},
      {"an odd channel", joined({welcome(), frame(9, FrameType::open, "jobs/1")}), waits, "P5.1"},
      {"Welcome, and closes", welcome(), closes, "closed"},
  };
  for (const auto& move : moves) {
    INFO(move.what);
    impostor.says = move.says;
    impostor.then = move.then;
    const auto before = impostor.links;
    RealAgent agent(rig, identity);
    agent.start();
    const bool again = co_await rig.until([&] { return impostor.links >= before + 2; });  // it comes again
    CHECK(again);
    CAPTURE(agent.status().last_problem);
    CHECK(agent.status().last_problem.find(move.problem) != std::string::npos);
    CHECK(agent.status().state != agent::LinkState::ready);
    co_await agent.finish();
  }
  identity.relay = rig.endpoint();
  RealAgent agent(rig, identity);  // and the real one takes it
  agent.start();
  const bool ready = co_await agent.until_ready();
  CHECK(ready);
  co_await agent.finish();
  co_await impostor.finish();
  co_await rig.finish();
}
