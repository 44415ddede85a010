#include "agent/doctor/network.h"

#include "agent/link/dialer.h"
#include "agent/platform/tcp_connect.h"
#include "shared/async/timeout.h"
#include "shared/mux/frame.h"
#include "shared/tls/context.h"
#include "shared/tls/socket.h"
#include "shared/tls/stream.h"

#include <fmt/format.h>
#include <boost/asio/ip/udp.hpp>

#include <algorithm>
#include <array>

namespace sallyport::doctor {
namespace asio = boost::asio;
using asio::awaitable;
using asio::ip::tcp;
using std::chrono::milliseconds;
namespace {

constexpr std::size_t kLarge = 12'000;  // several packets, and less than the relay refuses at the first header

SteadyTime after(milliseconds length) { return std::chrono::steady_clock::now() + length; }

long long ms_since(SteadyTime begun) {
  return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begun).count();
}

double in_seconds(milliseconds length) { return std::chrono::duration<double>(length).count(); }

Finding skipped(std::string check, std::string_view because) {
  return {std::move(check), Verdict::skipped, fmt::format("not looked at: {}", because)};
}

// The address of this machine that the system would go out with; sends nothing.
awaitable<std::string> own_address(tcp::endpoint to) {
  asio::ip::udp::socket probe(co_await asio::this_coro::executor);
  boost::system::error_code bad;
  probe.connect({to.address(), to.port()}, bad);
  const auto here = probe.local_endpoint(bad);
  co_return bad ? "" : here.address().to_string();
}

std::string listed(const std::vector<tcp::endpoint>& addresses) {
  std::string list;
  for (const auto& address : addresses) list += (list.empty() ? "" : ", ") + address.address().to_string();
  return list;
}

// One walk to the relay; each step adds what it found, and goes on only where the next one makes sense.
class Walk {
 public:
  Walk(const asio::any_io_executor& executor, Journey journey, const Clock& clock)
      : journey_(std::move(journey)), clock_(clock), dialer_(executor, journey_.proxy, journey_.environment) {}

  awaitable<NetworkReport> run() {
    if (choose_way() && co_await find_addresses() && co_await try_addresses() && co_await meet_relay()) {
      co_await keep_silent_then_send();
    } else {
      skip_the_rest();
    }
    if (blocked_) report_.request = co_await request();
    co_return std::move(report_);
  }

 private:
  bool choose_way();
  awaitable<bool> find_addresses();
  awaitable<bool> try_addresses();
  awaitable<bool> meet_relay();
  awaitable<void> keep_silent_then_send();
  awaitable<Result<std::unique_ptr<tls::TlsStream>>> session();
  awaitable<Result<void>> send_large(tls::TlsStream& stream);
  awaitable<std::string> request() const;
  void not_met(const Error& why);
  void skip_the_rest();
  const agent::Endpoint& first_hop() const { return proxy_ ? proxy_->at : journey_.relay; }
  void add(std::string check, Verdict verdict, std::string text, std::string advice = {}) {
    report_.findings.push_back({std::move(check), verdict, std::move(text), std::move(advice)});
  }

  Journey journey_;
  const Clock& clock_;
  const agent::Dialer dialer_;
  NetworkReport report_;
  std::optional<agent::Proxy> proxy_;
  std::vector<tcp::endpoint> addresses_;  // of the first hop
  std::string_view refusal_;              // of the last TLS handshake: a code of tls::reason
  std::string issuer_;                    // and who issued what was shown
  bool blocked_ = false;                  // something that the network's people can change
};

bool Walk::choose_way() {
  auto chosen = agent::choose_proxy(journey_.proxy, journey_.environment, journey_.relay);
  if (!chosen) {
    add("proxy", Verdict::bad, chosen.error().message, "correct `proxy` in agent.yaml, or https_proxy of the service");
    return false;
  }
  proxy_ = *std::move(chosen);
  const bool configured = !journey_.proxy.empty();
  const auto where = configured ? "agent.yaml" : "the environment";
  if (proxy_) {
    add("proxy", Verdict::good,
        fmt::format("{} goes through the HTTP proxy {} ({}{})", to_string(journey_.relay), to_string(proxy_->at), where,
                    proxy_->user.empty() ? ", without a login" : ", with a login"));
  } else {
    add("proxy", Verdict::good, fmt::format("{} is reached without a proxy ({})", to_string(journey_.relay), where));
  }
  return true;
}

awaitable<bool> Walk::find_addresses() {
  const auto begun = std::chrono::steady_clock::now();
  auto found = co_await dialer_.look_up(first_hop(), after(journey_.patience));
  if (!found) {
    add("dns", Verdict::bad, found.error().message,
        fmt::format("ask for the name {} to be resolvable on this machine (/etc/resolv.conf, /etc/hosts)",
                    first_hop().host));
    blocked_ = true;
    co_return false;
  }
  addresses_ = *std::move(found);
  const auto addresses = listed(addresses_);
  add("dns", Verdict::good,
      addresses == first_hop().host ? fmt::format("{} is an address, nothing to look up", addresses)
                                    : fmt::format("{} is {} ({} ms)", first_hop().host, addresses, ms_since(begun)));
  co_return true;
}

awaitable<bool> Walk::try_addresses() {
  bool reached = false;
  const std::string_view whose = proxy_ ? "the proxy" : "the relay";
  for (const auto& address : addresses_) {
    const auto begun = std::chrono::steady_clock::now();
    const auto socket = co_await with_timeout(journey_.patience, platform::connect_one(address));
    const auto shown = to_string(agent::Endpoint{address.address().to_string(), address.port()});
    if (socket) {
      reached = true;
      add("route", Verdict::good, fmt::format("{} takes connections at {} ({} ms)", whose, shown, ms_since(begun)));
    } else {
      const bool silent = socket.error().code == Errc::timed_out;
      add("route", Verdict::note,
          fmt::format(
              "{} takes no connection at {}: {}", whose, shown,
              silent ? fmt::format("no answer in {} s: packets are dropped on the way", in_seconds(journey_.patience))
                     : socket.error().message));
    }
  }
  if (reached) co_return true;
  blocked_ = true;
  for (auto& finding : report_.findings)
    if (finding.check == "route") finding.verdict = Verdict::bad;
  report_.findings.back().advice = fmt::format("have the way to {} opened, see below", to_string(first_hop()));
  co_return false;
}

awaitable<Result<std::unique_ptr<tls::TlsStream>>> Walk::session() {
  refusal_ = {};
  SP_CO_TRY(const auto context, tls::make_enrol_client_context(journey_.root_pin, clock_));
  SP_CO_TRY(auto socket, co_await dialer_.dial(journey_.relay, after(journey_.patience)));
  SP_CO_CHECK(tls::prepare_socket(socket));
  auto met = co_await tls::connect_tls(std::move(socket), context, journey_.relay.host, after(journey_.patience));
  if (met) co_return std::move(*met);
  refusal_ = met.error().reason;
  issuer_ = met.error().issuer;
  co_return std::unexpected(std::move(met.error().error));
}

awaitable<bool> Walk::meet_relay() {
  const auto begun = std::chrono::steady_clock::now();
  auto met = co_await session();
  report_.reached = met.has_value();
  if (met) {
    const auto& facts = (*met)->facts();
    add("tls", Verdict::good,
        fmt::format("the relay proves itself by this deployment's root, and nobody reads along ({}, {}, {} ms)",
                    facts.version, facts.cipher, ms_since(begun)));
    co_return true;
  }
  not_met(met.error());
  co_return false;
}

void Walk::not_met(const Error& why) {
  namespace reason = tls::reason;
  blocked_ = true;
  if (refusal_.empty()) {
    add("proxy", Verdict::bad, why.message, "have the proxy allow CONNECT to the relay, see below");
  } else if (refusal_ == reason::kWrongPin || refusal_ == reason::kWrongCa) {
    add("tls", Verdict::bad,
        fmt::format("what answers at {} is not this deployment's relay: its certificate is issued by \"{}\"",
                    to_string(journey_.relay), issuer_),
        "if that is an inspecting proxy or firewall, have the relay exempted from inspection, see below; otherwise "
        "check "
        "the relay's address");
  } else if (refusal_ == reason::kWrongHost) {
    blocked_ = false;
    add("tls", Verdict::bad, fmt::format("the relay's certificate is not for {}: {}", journey_.relay.host, why.message),
        "use the name that the relay's `link.address` has");
  } else if (refusal_ == reason::kExpired || refusal_ == reason::kNotYetValid) {
    blocked_ = false;
    add("tls", Verdict::bad, why.message, "set this machine's clock, or have the relay's certificate renewed");
  } else {
    add("tls", Verdict::bad,
        fmt::format("TCP connects, and then the TLS handshake is broken off or not answered ({}): {}", refusal_,
                    why.message),
        "somebody on the way may want to look inside: have the relay exempted from inspection, see below");
  }
}

// A bad guest at the enrolment counter: what it sends is no request, so the relay closes in good order, which tells
// that all of it came. A connection that breaks instead proves the contrary.
awaitable<Result<void>> Walk::send_large(tls::TlsStream& stream) {
  Bytes frame;
  mux::append_frame(frame, {mux::kControlChannel, mux::FrameType::control, Bytes(kLarge)});
  SP_CO_CHECK(co_await stream.write_all(frame));
  std::array<std::byte, 1024> scrap{};
  for (;;) {
    SP_CO_TRY(const auto count, co_await stream.read_some(scrap));
    if (count == 0) co_return Result<void>();
  }
}

awaitable<void> Walk::keep_silent_then_send() {
  auto quiet = co_await session();
  if (quiet) {
    co_await sleep_for(journey_.silence);
    if (co_await with_timeout(journey_.patience, send_large(**quiet))) {
      add("silence", Verdict::good,
          fmt::format("a connection lives through {} s without a byte; links say something every 5 s",
                      in_seconds(journey_.silence)));
      co_return add("size", Verdict::good, fmt::format("{} bytes at once get through", kLarge));
    }
  }
  auto fresh = co_await session();
  const bool large = fresh && co_await with_timeout(journey_.patience, send_large(**fresh));
  blocked_ = true;
  if (large) {
    add("silence", Verdict::bad,
        fmt::format("a connection is cut within {} s without a byte", in_seconds(journey_.silence)),
        "have idle connections to the relay kept for at least a minute");
    add("size", Verdict::good, fmt::format("{} bytes at once get through", kLarge));
  } else {
    add("silence", Verdict::skipped, "not looked at: large packets do not get through either");
    add("size", Verdict::bad, fmt::format("a TLS handshake gets through, and {} bytes at once do not", kLarge),
        "large packets are dropped on the way (MTU): allow ICMP \"fragmentation needed\", or lower this machine's MTU");
  }
}

void Walk::skip_the_rest() {
  constexpr std::array<std::string_view, 5> kSteps{"dns", "route", "tls", "silence", "size"};
  for (const auto step : kSteps) {
    const bool seen = std::ranges::find(report_.findings, step, &Finding::check) != report_.findings.end();
    if (!seen) report_.findings.push_back(skipped(std::string(step), "the steps before it failed"));
  }
}

awaitable<std::string> Walk::request() const {
  const auto from = addresses_.empty() ? std::string() : co_await own_address(addresses_.front());
  const auto machine = fmt::format("{}{}", journey_.host_name.empty() ? "this machine" : journey_.host_name,
                                   from.empty() ? "" : " (" + from + ")");
  const auto addresses = listed(addresses_);
  const bool known = !addresses_.empty() && !proxy_ && addresses != journey_.relay.host;
  const auto way = proxy_ ? fmt::format(" by CONNECT through the proxy {}", to_string(proxy_->at)) : std::string();
  co_return fmt::format(
      "Please allow outgoing TCP from {} to {}{}, port {}{}, without TLS inspection: both ends prove themselves with "
      "certificates of their own. Nothing has to be opened inwards.",
      machine, journey_.relay.host, known ? " (" + addresses + ")" : "", journey_.relay.port, way);
}

}  // namespace

awaitable<NetworkReport> examine_network(Journey journey, const Clock& clock) {
  Walk walk(co_await asio::this_coro::executor, std::move(journey), clock);
  co_return co_await walk.run();
}

}  // namespace sallyport::doctor
