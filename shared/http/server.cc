#include "shared/http/server.h"

#include "shared/async/accept.h"
#include "shared/async/event.h"
#include "shared/async/sources.h"
#include "shared/async/task_group.h"
#include "shared/http/session.h"
#include "shared/http/tls.h"

#include <fmt/format.h>
#include <boost/asio/ip/tcp.hpp>

#include <algorithm>
#include <functional>
#include <list>
#include <optional>
#include <unordered_map>

namespace sallyport::http {

namespace asio = boost::asio;
using asio::ip::tcp;

struct Server::Impl {
  struct Guest {
    Session* session;
    std::string source;
  };
  Impl(const asio::any_io_executor& loop, ServerOptions chosen, Handler& handler, ServerServices shared)
      : executor(loop),
        options(std::move(chosen)),
        services(shared),
        metrics(shared.metrics),
        places(options.limits),
        session_services{handler, options.limits, shared.log, shared.clock, metrics, places},
        acceptor(loop),
        acceptance([this](const std::string& why, std::uint64_t times) {
          services.log.warn("http.accept_failed", {{"reason", why}, {"times", times}});
        }),
        stopping(loop),
        empty(loop) {
    empty.set();
  }

  Result<void> bind();
  std::optional<Welcome> welcome_for(const std::string& source);
  bool make_room(const std::function<bool(const Guest&)>& among);
  asio::awaitable<void> accept_loop(TaskGroup& tasks);
  asio::awaitable<void> play(std::unique_ptr<Session> session, std::list<Guest>::iterator at);
  void welcome(tcp::socket socket, TaskGroup& tasks);
  std::size_t abort_all(const std::function<bool(const Session&)>& among);
  asio::awaitable<void> drain(TaskGroup& tasks);

  asio::any_io_executor executor;
  ServerOptions options;
  ServerServices services;
  EdgeMetrics metrics;
  Places places;
  SessionServices session_services;
  tcp::acceptor acceptor;
  std::shared_ptr<asio::ssl::context> tls;
  std::list<Guest> sessions;                                // in order of arrival
  std::unordered_map<std::string, std::size_t> per_source;  // never 0
  Acceptance acceptance;
  Event stopping;
  Event empty;                 // no session
  TaskGroup* tasks = nullptr;  // while it runs
};

Server::Server(const asio::any_io_executor& executor, ServerOptions options, Handler& handler, ServerServices services)
    : impl_(std::make_shared<Impl>(executor, std::move(options), handler, services)) {}
Server::~Server() = default;

Result<void> Server::listen() {
  if (impl_->options.security == Security::tls) SP_CHECK(reload_certificate());
  return impl_->bind();
}

Result<void> Server::reload_certificate() {
  SP_TRY(auto fresh, load_tls(impl_->options.tls));
  impl_->tls = std::move(fresh);
  return {};
}

std::uint16_t Server::port() const {
  boost::system::error_code ignored;
  return impl_->acceptor.local_endpoint(ignored).port();
}

void Server::adopt(tcp::socket socket) {
  if (impl_->tasks == nullptr || impl_->stopping.is_set()) return;
  impl_->welcome(std::move(socket), *impl_->tasks);
}

void Server::stop() { impl_->stopping.set(); }

asio::awaitable<void> Server::run() {
  const auto impl = impl_;
  TaskGroup tasks(impl->executor, [impl](const std::string& task, const std::string& why) {
    impl->services.log.error("http.task_failed", {{"task", task}, {"why", why}});
  });
  if (impl->acceptor.is_open()) tasks.spawn("accept", impl->accept_loop(tasks));
  impl->tasks = &tasks;
  co_await impl->stopping.wait();
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  impl->stopping.set();
  impl->tasks = nullptr;
  co_await impl->drain(tasks);
}

Result<void> Server::Impl::bind() {
  boost::system::error_code problem;
  const auto address = asio::ip::make_address(options.address, problem);
  if (problem) return fail(Errc::invalid, fmt::format("listen address \"{}\" is not an IP address", options.address));
  const tcp::endpoint endpoint(address, options.port);
  acceptor.open(endpoint.protocol(), problem);
  if (!problem) acceptor.set_option(tcp::acceptor::reuse_address(true), problem);
  if (!problem) acceptor.bind(endpoint, problem);
  if (!problem) acceptor.listen(tcp::acceptor::max_listen_connections, problem);
  if (problem) {
    return fail(Errc::unavailable,
                fmt::format("listening on {} port {}: {}", options.address, options.port, problem.message()));
  }
  return {};
}

asio::awaitable<void> Server::Impl::accept_loop(TaskGroup& tasks) {
  while (!stopping.is_set()) {
    auto accepted = co_await acceptance.next(acceptor);
    if (accepted && !stopping.is_set()) welcome(std::move(accepted->socket), tasks);
  }
}

// Nothing: not even an answer.
std::optional<Welcome> Server::Impl::welcome_for(const std::string& source) {
  const auto known = per_source.find(source);
  const std::size_t open = known == per_source.end() ? 0 : known->second;
  const auto of_source = [&](const Guest& guest) { return guest.source == source; };
  if (sessions.size() >= options.limits.max_connections && !make_room([](const Guest&) { return true; })) {
    return std::nullopt;
  }
  if (open < options.limits.max_per_source || make_room(of_source)) return Welcome::serve;
  if (open >= 2 * options.limits.max_per_source) return std::nullopt;
  return Welcome::turn_away;
}

// False: none of them loiters. One that makes room is counted until its coroutine has ended.
bool Server::Impl::make_room(const std::function<bool(const Guest&)>& among) {
  const auto now = std::chrono::steady_clock::now();
  Session* idlest = nullptr;
  auto longest = now;
  for (const auto& guest : sessions) {
    const auto since = guest.session->loiters_since(now);
    if (!since || *since >= longest || !among(guest)) continue;
    idlest = guest.session;
    longest = *since;
  }
  if (idlest == nullptr) return false;
  idlest->abort();
  metrics.refused_connections.add();
  return true;
}

void Server::Impl::welcome(tcp::socket socket, TaskGroup& tasks) {
  if (options.security == Security::tls && !tls) return;
  boost::system::error_code unknown;
  const auto remote = socket.remote_endpoint(unknown);
  auto source = unknown ? std::string("unknown") : source_of(remote.address().to_string());
  const auto how = welcome_for(source);
  if (how != Welcome::serve) metrics.refused_connections.add();
  if (!how) return;
  auto session = make_session(std::move(socket), tls, session_services, *how);
  ++per_source[source];
  const auto at = sessions.insert(sessions.end(), {session.get(), std::move(source)});
  empty.clear();
  metrics.connections.add(1);
  tasks.spawn("connection", play(std::move(session), at));
}

asio::awaitable<void> Server::Impl::play(std::unique_ptr<Session> session, std::list<Guest>::iterator at) {
  struct Leave {
    Impl& impl;
    std::list<Guest>::iterator at;
    ~Leave() {
      if (--impl.per_source[at->source] == 0) impl.per_source.erase(at->source);
      impl.sessions.erase(at);
      impl.metrics.connections.add(-1);
      if (impl.sessions.empty()) impl.empty.set();
    }
  } leave{*this, at};
  co_await session->run();
}

std::size_t Server::Impl::abort_all(const std::function<bool(const Session&)>& among) {
  std::size_t count = 0;
  for (const auto& guest : sessions) {
    if (!among(*guest.session)) continue;
    guest.session->abort();
    ++count;
  }
  return count;
}

asio::awaitable<void> Server::Impl::drain(TaskGroup& tasks) {
  boost::system::error_code ignored;
  acceptor.close(ignored);
  for (const auto& guest : sessions) guest.session->drain();
  const auto now = std::chrono::steady_clock::now();
  co_await empty.wait_until(now + options.limits.drain);
  auto cut = abort_all([](const Session& session) { return !session.is_upgraded(); });
  co_await empty.wait_until(now + options.limits.upgraded_drain);
  cut += abort_all(&Session::is_upgraded);
  tasks.stop();
  co_await tasks.join();
  services.log.info("http.stopped", {{"cut_connections", cut}});
}

}  // namespace sallyport::http
