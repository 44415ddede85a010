#pragma once

#include "shared/base/clock.h"
#include "shared/base/result.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/thread_pool.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::platform {

// Names to addresses by the system's resolver, on threads of its own that begin with the first name: a resolver that
// hangs does not hold up the loop, and nobody waits for it past a deadline. Nothing is kept: each question asks the
// resolver anew, but who asks for a name that is being looked up waits for the same answer, so that one name takes one
// thread however often it is asked for; what nobody waits for any more is not begun. At most 64 names at a time. Used
// on one executor, which outlives it; its end waits until the resolver has given up the names it has begun.
class Lookups {
 public:
  using Addresses = Result<std::vector<boost::asio::ip::address>>;
  // Called on one of the threads, for as long as it takes.
  using Resolve = std::function<Addresses(const std::string& host)>;
  static Addresses ask_system(const std::string& host);

  // As many names as there are threads are looked up at the same time.
  Lookups(boost::asio::any_io_executor executor, std::size_t threads, Resolve resolve = ask_system);
  ~Lookups();
  Lookups(const Lookups&) = delete;
  Lookups& operator=(const Lookups&) = delete;

  // At most 16. A numeric host is not looked up. Errors: unavailable (what the resolver said), timed_out, exhausted,
  // cancelled.
  boost::asio::awaitable<Result<std::vector<boost::asio::ip::tcp::endpoint>>> find(std::string host, std::uint16_t port,
                                                                                   SteadyTime deadline);

 private:
  struct Answer;
  struct Desk;

  Result<std::shared_ptr<Answer>> answer_for(const std::string& host);

  std::shared_ptr<Desk> desk_;
  std::optional<boost::asio::thread_pool> threads_;
};

}  // namespace sallyport::platform
