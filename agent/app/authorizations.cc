#include "agent/app/authorizations.h"

#include "proto/sallyport/v1/authorizations.pb.h"
#include "shared/async/blocking.h"
#include "shared/async/timeout.h"
#include "shared/link/message_bytes.h"

#include <chrono>

namespace sallyport::app {
namespace asio = boost::asio;
namespace {

constexpr std::chrono::seconds kForOrder{10};
constexpr std::chrono::minutes kForPerson{10};
constexpr std::chrono::seconds kForExchange{30};

template <class Message>
asio::awaitable<Result<Message>> receive(const link::Channel& channel, std::chrono::seconds patience) {
  SP_CO_TRY(const auto bytes, co_await with_timeout(patience, channel.receive_message()));
  Message message;
  if (!bytes || !link::parse(message, *bytes)) co_return fail(Errc::invalid, "P18.3: not the message that is due");
  co_return message;
}

std::string told(const connectors::StepResult<void>& done) { return done ? "" : done.error().message; }

class Place {
 public:
  explicit Place(std::size_t& count) : count_(count) { ++count_; }
  ~Place() { --count_; }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  std::size_t& count_;
};

}  // namespace

asio::awaitable<void> Authorizations::serve(link::Channel channel) {
  if (open_ == kMost) co_return channel.reset(mux::ResetCode::refused, "this agent has too many authorizations open");
  const Place place(open_);
  const auto outcome = co_await converse(channel);
  if (outcome) co_return;
  site_.log.warn("connection.not_authorized", {{"message", outcome.error().message}});
  channel.reset(mux::ResetCode::refused, "the authorization was given up: the agent's log says why");
}

asio::awaitable<Result<void>> Authorizations::converse(const link::Channel& channel) {
  SP_CO_TRY(const auto order, co_await receive<v1::AuthorizationOrder>(channel, kForOrder));
  const auto pending = authorizer_.begin(order.connection());
  v1::AuthorizationBegun begun;
  if (pending) {
    begun.set_url(pending->url);
    begun.set_state(pending->state);
  } else {
    begun.set_error(pending.error().message);
  }
  SP_CO_CHECK(co_await channel.send_message(begun.SerializeAsString()));
  if (!pending) co_return channel.finish();
  co_return co_await complete(channel, order.connection(), *pending);
}

asio::awaitable<Result<void>> Authorizations::complete(const link::Channel& channel, std::string connection,
                                                       const connectors::http::PendingAuthorization& pending) {
  SP_CO_TRY(auto came, co_await receive<v1::AuthorizationAnswer>(channel, kForPerson));
  const connectors::http::AuthorizationAnswer answer{came.code(), came.state(), came.issuer(), came.error()};
  if (!workers_) workers_.emplace(1);
  const auto done = co_await run_stoppable(*workers_, [&](std::stop_token stop) {
    return authorizer_.finish(connection, pending, answer,
                              {site_.clock, site_.clock.steady() + kForExchange, std::move(stop)});
  });
  v1::AuthorizationDone message;
  message.set_error(told(done));
  SP_CO_CHECK(co_await channel.send_message(message.SerializeAsString()));
  co_return channel.finish();
}

}  // namespace sallyport::app
