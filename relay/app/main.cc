#include "relay/app/init.h"
#include "relay/app/relay.h"
#include "shared/base/text.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <map>
#include <optional>
#include <span>

namespace {

using namespace sallyport;
using namespace sallyport::app;

constexpr std::string_view kUsage =
    "usage: sallyport-relay init --data DIR --organisation NAME --owner EMAIL [options]\n"
    "       sallyport-relay serve --data DIR\n"
    "       sallyport-relay version\n\n"
    "init makes the data directory, the deployment's certificate authority and the first owner's token:\n"
    "  --api HOST:PORT         where the web API listens (default 127.0.0.1:8443)\n"
    "  --api-url URL           how people reach it (default https:// and the same)\n"
    "  --link HOST:PORT        where agents dial in (default 127.0.0.1:8444)\n"
    "  --link-address HOST:PORT  how agents reach it, through NAT or by name (default the same)\n"
    "  --name HOST             a further name or address of this host, for its certificate\n"
    "  --trust-domain NAME     of agents' identities; never changes afterwards (default sallyport.internal)\n"
    "  --token-file FILE       write the owner's token there (mode 0600) instead of to standard output\n";

using Options = std::map<std::string, std::string, std::less<>>;

Result<Options> parse(std::span<char*> words, std::span<const std::string_view> known) {
  Options options;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string_view word = words[i];
    if (!word.starts_with("--")) return fail(Errc::invalid, fmt::format("unexpected word '{}'", word));
    word.remove_prefix(2);
    const auto equals = word.find('=');
    const auto name = word.substr(0, equals);
    if (std::ranges::find(known, name) == known.end()) {
      const auto hint = nearest(name, known);
      return fail(Errc::invalid,
                  fmt::format("unknown option --{}{}", name, hint ? fmt::format(" (did you mean --{}?)", *hint) : ""));
    }
    if (equals == std::string_view::npos && i + 1 == words.size())
      return fail(Errc::invalid, fmt::format("--{} needs a value", name));
    options[std::string(name)] = equals != std::string_view::npos ? std::string(word.substr(equals + 1)) : words[++i];
  }
  return options;
}

std::string get(const Options& options, std::string_view name, std::string_view otherwise = "") {
  const auto it = options.find(name);
  return it == options.end() ? std::string(otherwise) : it->second;
}

Result<InitOrder> order_of(const Options& options) {
  InitOrder order;
  order.data.root = get(options, "data");
  order.organisation = get(options, "organisation");
  order.owner_email = get(options, "owner");
  order.owner_name = order.owner_email.substr(0, order.owner_email.find('@'));
  if (order.data.root.empty() || order.organisation.empty() || order.owner_email.empty()) {
    return fail(Errc::invalid, "--data, --organisation and --owner are needed");
  }
  order.trust_domain = get(options, "trust-domain", "sallyport.internal");
  auto& settings = order.settings;
  SP_TRY(settings.api_listen, parse_host_port(get(options, "api", "127.0.0.1:8443")));
  SP_TRY(settings.link_listen, parse_host_port(get(options, "link", "127.0.0.1:8444")));
  settings.api_url = get(options, "api-url", "https://" + to_string(settings.api_listen));
  SP_TRY(settings.link_address, parse_host_port(get(options, "link-address", to_string(settings.link_listen))));
  order.server_names = {"localhost"};
  if (const auto name = get(options, "name"); !name.empty()) order.server_names.push_back(name);
  return order;
}

// The token is secret: a new file that only its owner can read, or standard output.
Result<void> hand_over(const Secret& token, const std::string& file) {
  const int fd = file.empty() ? STDOUT_FILENO : ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const auto text = token.reveal();
  const bool written = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::write(fd, "\n", 1) == 1;
  if (fd > STDERR_FILENO) ::close(fd);
  return written ? Result<void>()
                 : fail(Errc::unavailable, fmt::format("cannot write the token to a new file {}", file));
}

Result<void> run_init(std::span<char*> words) {
  static constexpr std::string_view kKnown[] = {"data", "organisation", "owner", "api",          "api-url",
                                                "link", "link-address", "name",  "trust-domain", "token-file"};
  SP_TRY(const auto options, parse(words, kKnown));
  SP_TRY(const auto order, order_of(options));
  const SystemClock clock;
  const auto file = get(options, "token-file");
  SP_CHECK(init(order, clock, [&](const Secret& token) { return hand_over(token, file); }));
  fmt::print(stderr,
             "Relay made in {}.\n"
             "  start it       sallyport-relay serve --data {}\n"
             "  log in         sallyport login --relay {} --root {}   (token on standard input)\n",
             order.data.root.string(), order.data.root.string(), order.settings.api_url,
             (order.data.deployment() / "root.pem").string());
  return {};
}

Result<void> run_serve(std::span<char*> words) {
  static constexpr std::string_view kKnown[] = {"data"};
  SP_TRY(const auto options, parse(words, kKnown));
  const DataDirectory data{get(options, "data")};
  if (data.root.empty()) return fail(Errc::invalid, "--data is needed");
  SP_TRY(const auto settings, load_settings(data.settings()));
  const SystemClock clock;
  FdSink sink(STDERR_FILENO);
  return serve(data, settings, clock, Log(sink, clock, settings.log_level));
}

int run(std::span<char*> words) {
  const std::string_view word = words.empty() ? std::string_view("help") : words[0];
  Result<void> outcome;
  if (word == "version") {
    fmt::print("sallyport-relay " SALLYPORT_VERSION "\n");
  } else if (word == "init") {
    outcome = run_init(words.subspan(1));
  } else if (word == "serve") {
    outcome = run_serve(words.subspan(1));
  } else {
    fmt::print(words.empty() ? stderr : stdout, "{}", kUsage);
    return word == "help" || word == "--help" ? 0 : 2;
  }
  if (outcome) return 0;
  fmt::print(stderr, "sallyport-relay: {}\n", outcome.error().message);
  return outcome.error().code == Errc::invalid ? 2 : 1;
}

}  // namespace

int main(int count, char** words) {
  try {
    return run(std::span(words + 1, static_cast<std::size_t>(count - 1)));
  } catch (const std::exception& e) {
    fmt::print(stderr, "sallyport-relay: {}\n", e.what());
    return 1;
  }
}
