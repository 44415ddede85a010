#include "shared/async/socket_options.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>

#include <optional>
#include <string>

using namespace sallyport;
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

struct Line {
  asio::io_context io;
  tcp::socket near{io}, far{io};

  Line() {
    tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
    near.connect(acceptor.local_endpoint());
    far = acceptor.accept();
    near.set_option(tcp::no_delay(true));
  }
  void say(std::string_view text) { asio::write(near, asio::buffer(text)); }
  std::string hear(std::size_t size) {
    std::string text(size, '\0');
    asio::read(far, asio::buffer(text));
    return text;
  }
};

}  // namespace

TEST_CASE("what is written under a cork leaves together at its end", "[async]") {
  Line line;
  std::optional<Corked> corked(line.near);
  line.say("three ");
  line.say("small ");
  CHECK(line.far.available() == 0);
  line.say("writes");
  corked.reset();
  CHECK(line.hear(18) == "three small writes");
  line.say("at once");  // the control: without a cork loopback has it already
  CHECK(line.far.available() == 7);
}

TEST_CASE("a cork outlives the closing of its socket", "[async]") {
  Line line;
  const Corked corked(line.near);
  line.say("the end");
  line.near.close();
  CHECK(line.hear(7) == "the end");
}
