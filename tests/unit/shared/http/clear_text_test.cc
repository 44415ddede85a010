#include "tests/unit/shared/http/served.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::test;
using asio::ip::tcp;

TEST_CASE("a server in clear text answers as one with TLS does, and shakes no hands", "[http][server]") {
  TestHandler handler;
  MemorySink sink;
  SystemClock clock;
  Log log(sink, clock);
  Metrics metrics;
  asio::io_context loop;
  http::Server server(loop.get_executor(), {.security = http::Security::none}, handler, {log, clock, metrics});
  REQUIRE(server.listen());
  asio::co_spawn(loop, server.run(), asio::detached);
  std::thread thread([&] { loop.run(); });
  const auto exchange = [&](const std::string& bytes) {
    asio::io_context own;
    tcp::socket socket(own);
    socket.connect({asio::ip::make_address("127.0.0.1"), server.port()});
    asio::write(socket, asio::buffer(bytes));
    std::string answer;
    boost::system::error_code ended;
    asio::read(socket, asio::dynamic_buffer(answer), ended);
    return answer;
  };
  const auto answer = exchange(post("/a", "hello", "") + get("/b", "Connection: close\r\n"));
  CHECK(answer.find("/a:hello") != std::string::npos);
  CHECK(answer.find("/b:") != std::string::npos);
  const std::string client_hello("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", 10);
  CHECK(status_of(exchange(client_hello)) == 400);
  CHECK_FALSE(HttpsClient(server.port()).connected());
  asio::post(loop, [&] { server.stop(); });
  thread.join();
}

TEST_CASE("a server whose TLS is not loaded serves nobody in clear text", "[http][server][tls]") {
  TestHandler handler;
  MemorySink sink;
  SystemClock clock;
  Log log(sink, clock);
  Metrics metrics;
  asio::io_context loop;
  http::Server server(loop.get_executor(), {}, handler, {log, clock, metrics});
  asio::co_spawn(loop, server.run(), asio::detached);
  tcp::acceptor acceptor(loop, {asio::ip::make_address("127.0.0.1"), 0});
  tcp::socket client(loop), accepted(loop);
  client.connect(acceptor.local_endpoint());
  acceptor.accept(accepted);
  loop.poll();
  server.adopt(std::move(accepted));
  asio::write(client, asio::buffer(get("/a")));
  loop.poll();
  char byte = 0;
  boost::system::error_code ended;
  asio::read(client, asio::buffer(&byte, 1), ended);
  CHECK(ended.failed());
  server.stop();
  loop.run();
}
