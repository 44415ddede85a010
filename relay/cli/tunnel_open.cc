#include "relay/cli/tunnel_open.h"

#include "relay/cli/child.h"
#include "relay/cli/open_tunnel.h"
#include "relay/cli/profile.h"
#include "relay/cli/requests.h"
#include "shared/async/run.h"
#include "shared/base/text.h"
#include "shared/tunnel/purpose.h"

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <csignal>

namespace sallyport::cli {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace {

constexpr int kNoProgram = 127;  // as shells say it (POSIX, Shell Command Language, Exit Status for Commands)
constexpr int kNoExecution = 126;

// One `tunnel open`: the tunnel, and the command that is run with it if there is one.
class Opening {
 public:
  Opening(asio::io_context& loop, const Context& context, Value tunnel, OpenTunnel::Order order,
          std::vector<std::string> command)
      : context_(context),
        tunnel_(std::move(tunnel)),
        command_(std::move(command)),
        open_(loop.get_executor(), std::move(order),
              {[this](const tcp::endpoint& where) { listening(where); },
               [this](std::string_view trouble) { context_.complain(trouble); }}),
        tasks_(loop.get_executor(), [this](const auto& task, const auto& why) {
          context_.complain(task + ": " + why);
          open_.stop();
        }) {}

  asio::awaitable<Result<int>> run();

 private:
  void listening(const tcp::endpoint& where);
  asio::awaitable<void> wait_for_signal();
  asio::awaitable<void> run_command(std::vector<std::string> words);

  const Context& context_;
  Value tunnel_;
  std::vector<std::string> command_;
  OpenTunnel open_;
  TaskGroup tasks_;
  int code_ = kDone;
};

std::string with_places(std::string word, const std::string& host, const std::string& port) {
  for (const auto& [hole, filling] : {std::pair{std::string_view("{host}"), &host}, {"{port}", &port}}) {
    for (auto at = word.find(hole); at != std::string::npos; at = word.find(hole, at + filling->size()))
      word.replace(at, hole.size(), *filling);
  }
  return word;
}

asio::awaitable<Result<int>> Opening::run() {
  tasks_.spawn("signals", wait_for_signal());
  auto outcome = co_await open_.run();
  tasks_.stop();
  co_await tasks_.join();
  if (!outcome) co_return std::unexpected(std::move(outcome).error());
  co_return code_;
}

void Opening::listening(const tcp::endpoint& where) {
  const auto host = where.address().to_string();
  const auto port = std::to_string(where.port());
  if (!where.address().is_loopback())
    context_.complain(fmt::format("whoever can reach {} can use this tunnel in your name", host));
  if (!command_.empty()) {
    std::vector<std::string> words;
    words.reserve(command_.size());
    for (const auto& word : command_) words.push_back(with_places(word, host, port));
    return tasks_.spawn("command", run_command(std::move(words)));
  }
  const auto local = tunnel::to_string(tunnel::Target{host, where.port()});
  context_.show_line(Value(ValueMap{{Value("tunnel"), Value(text_of(tunnel_, "id"))},
                                    {Value("name"), Value(text_of(tunnel_, "name"))},
                                    {Value("target"), Value(text_of(tunnel_, "target"))},
                                    {Value("host"), Value(host)},
                                    {Value("port"), Value(std::int64_t{where.port()})}}),
                     fmt::format("{} on this machine leads to {} through the tunnel {}; Ctrl-C ends it\n", local,
                                 terminal_safe(text_of(tunnel_, "target")), terminal_safe(text_of(tunnel_, "name"))));
}

// A command has an interrupt of its own, and its end is the end.
asio::awaitable<void> Opening::wait_for_signal() {
  asio::signal_set signals(co_await asio::this_coro::executor, SIGINT, SIGTERM);
  for (;;) {
    const auto [failed, number] = co_await signals.async_wait(asio::as_tuple(asio::use_awaitable));
    if (failed) co_return;
    if (number == SIGTERM || command_.empty()) break;
  }
  open_.stop();
}

asio::awaitable<void> Opening::run_command(std::vector<std::string> words) {
  auto ended = co_await run_child(std::move(words));
  if (!ended) context_.complain(ended.error().message);
  code_ = ended.value_or(!ended && ended.error().code == Errc::not_found ? kNoProgram : kNoExecution);
  open_.finish();
}

Result<void> check_open(const Arguments& arguments) {
  if (!arguments.has("listen")) return {};
  const auto local = parse_local_port(arguments.get("listen"));
  return local ? Result<void>() : fail(Errc::invalid, "--listen " + local.error().message);
}

LocalPort port_for(const Arguments& arguments, const Value& tunnel) {
  if (arguments.has("listen")) return *parse_local_port(arguments.get("listen"));
  LocalPort local;
  const auto target = tunnel::parse_target(text_of(tunnel, "target"));
  if (target && arguments.count() == 1) local.port = target->port;
  return local;
}

int open(Context& context, const Arguments& arguments) {
  int code = kDone;
  const int asked = with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, id_of(client, "tunnel", "tun_", "/v1/tunnels", arguments.positional(0)));
    const auto path = fill("/v1/tunnels/{}", id);
    SP_TRY(auto tunnel, about(client.get(path), "tunnel", arguments.positional(0)));
    SP_TRY(auto endpoint, load_endpoint(context));
    const auto words = arguments.positionals().subspan(1);
    std::signal(SIGPIPE, SIG_IGN);
    asio::io_context loop(1);
    OpenTunnel::Order order{std::move(endpoint), path + "/session", port_for(arguments, tunnel)};
    Opening opening(loop, context, std::move(tunnel), std::move(order), {words.begin(), words.end()});
    SP_TRY(code, run_to_end(loop, opening.run(), "the tunnel"));
    return {};
  });
  return asked != kDone ? asked : code;
}

}  // namespace

Command open_command() {
  return {"tunnel",
          "open",
          {"TUNNEL", "[COMMAND...]"},
          {{"listen", "ADDRESS:PORT", "where it is on this machine (the target's port of 127.0.0.1, else a free one)"}},
          "open a tunnel on this machine, until Ctrl-C or for one command",
          open,
          check_open,
          "Each connection to the local port goes through the relay to the tunnel's target, over\n"
          "HTTPS and in your name; nothing is exposed elsewhere. With a COMMAND after -- it is open\n"
          "on a free port while that runs; {host} and {port} in its words become the local place:\n"
          "  sallyport tunnel open erp-db -- psql -h {host} -p {port} erp\n"
          "  sallyport tunnel open web01-ssh -- ssh -p {port} admin@{host}\n"
          "  sallyport tunnel open intranet -- curl http://{host}:{port}/"};
}

}  // namespace sallyport::cli
