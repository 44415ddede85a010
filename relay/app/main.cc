#include "relay/app/init.h"
#include "relay/app/key_command.h"
#include "relay/app/key_restore.h"
#include "relay/app/options.h"
#include "relay/app/owner_token.h"
#include "relay/app/relay.h"
#include "relay/app/token_file.h"
#include "shared/base/undumpable.h"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <system_error>
#include <vector>

namespace {

using namespace sallyport;
using namespace sallyport::app;

constexpr std::string_view kUsage =
    "usage: sallyport-relay init --data DIR --organisation NAME --owner EMAIL [options]\n"
    "       sallyport-relay serve --data DIR\n"
    "       sallyport-relay token --data DIR --owner EMAIL [--organisation NAME] [--token-file FILE]\n"
    "       sallyport-relay root show|prepare|switch|retire --data DIR [--force]\n"
    "       sallyport-relay keys rewrap --data DIR --from OLD-RELAY.YAML\n"
    "       sallyport-relay keys protect --data DIR --passphrase-file FILE\n"
    "       sallyport-relay keys restore --data DIR [--backup FILE] [--accept-loss]\n"
    "       sallyport-relay keys create --data DIR\n"
    "       sallyport-relay keys create --file FILE [--passphrase-file FILE]\n"
    "       sallyport-relay keys confirm-clock --data DIR\n"
    "       sallyport-relay version\n\n"
    "init makes the data directory, the deployment's certificate authority and the first owner's token:\n"
    "  --api IP:PORT           where the web API listens (default 127.0.0.1:8443)\n"
    "  --api-url URL           how people reach it (default https:// and the same; needed with 0.0.0.0 or [::])\n"
    "  --link IP:PORT          where agents dial in (default 127.0.0.1:8444)\n"
    "  --link-address HOST:PORT  how agents reach it, through NAT or by name (the same defaults)\n"
    "  --name HOST             a further name or address of this host, for its certificate\n"
    "  --trust-domain NAME     of agents' identities; never changes afterwards (default sallyport.internal)\n"
    "  --token-file FILE       write the owner's token there (mode 0600) instead of to standard output\n\n"
    "token makes a new API token for an owner, when every other is lost or has ended; the relay must not run.\n\n"
    "root changes the deployment's root certificate while relay and agents go on: prepare makes a new one, switch "
    "takes\n"
    "it into use, retire ends the old one, once no agent and no organisation's issuing CA is left of it (--force:\n"
    "in spite of agents that have not changed yet, never of issuing CAs); show tells where it is.\n\n"
    "keys is for the master key (docs/operations/master-key.md): rewrap takes the one that relay.yaml names into use "
    "after\n"
    "the one of an older relay.yaml, protect gives the key's file a passphrase, create makes the key that "
    "relay.yaml\n"
    "names, in its file or PKCS#11 token, or in a FILE for an organisation's own key; it overwrites none.\n"
    "restore puts the newest backup of keys.db, or the one that is named, in its place, and says what cannot be read\n"
    "then; --accept-loss also when that is all data of jobs.\n"
    "confirm-clock says that this machine's clock is right where nothing else does (NTP): expired data goes by it.\n"
    "The relay must not run.\n";

std::vector<std::string> copy_of(std::span<char*> words) { return {words.begin(), words.end()}; }

// Until it is handed over, the token lies in the data directory; so it is not lost, whatever happens here.
Result<void> hand_over(const DataDirectory& data, const Secret& token, const std::string& file) {
  const auto handed = file.empty() ? print_token(STDOUT_FILENO, token) : write_token(file, token);
  if (!handed) {
    return fail(handed.error().code, fmt::format("{}; the relay is made, and its first owner's token is in {}",
                                                 handed.error().message, data.first_token().string()));
  }
  std::error_code problem;
  std::filesystem::remove(data.first_token(), problem);
  if (problem) return fail(Errc::unavailable, fmt::format("remove {}: a token is in it", data.first_token().string()));
  return {};
}

Result<void> run_init(std::span<char*> words) {
  SP_TRY(const auto options, parse_options(copy_of(words), init_option_names()));
  SP_TRY(const auto order, init_order(options));
  const auto token_file = get(options, "token-file");
  if (!token_file.empty()) SP_CHECK(check_token_file(token_file));
  const SystemClock clock;
  SP_TRY(const auto token, init(order, clock));
  SP_CHECK(hand_over(order.data, token, token_file));
  fmt::print(stderr,
             "Relay made in {} (mode 0700: nobody else gets in).\n"
             "  start it       sallyport-relay serve --data {}\n"
             "  log in         sallyport login --relay {} --root {}   (token on standard input)\n",
             order.data.root.string(), order.data.root.string(), order.settings.api_url,
             (order.data.deployment() / "root.pem").string());
  return {};
}

Result<void> run_token(std::span<char*> words) {
  SP_TRY(const auto options, parse_options(copy_of(words), token_option_names()));
  SP_TRY(const auto order, token_order(options));
  const auto file = get(options, "token-file");
  if (!file.empty()) SP_CHECK(check_token_file(file));
  const SystemClock clock;
  SP_TRY(const auto token, make_owner_token(order, clock));
  const auto handed = file.empty() ? print_token(STDOUT_FILENO, token) : write_token(file, token);
  if (!handed) return in_context("the token was made and cannot be handed over; make another", handed.error());
  return {};
}

Result<void> run_serve(std::span<char*> words) {
  static constexpr std::string_view kKnown[] = {"data"};
  SP_TRY(const auto options, parse_options(copy_of(words), kKnown));
  const DataDirectory data{get(options, "data")};
  if (data.root.empty()) return fail(Errc::invalid, "--data is needed");
  SP_CHECK(become_undumpable());
  SP_TRY(const auto settings, load_settings(data.settings()));
  const SystemClock clock;
  FdSink standard_error(STDERR_FILENO);
  LogFiles files({data.logs(), settings.logs.most_per_hour}, clock, standard_error);
  BothSinks both(standard_error, files);
  const auto serve_with = [&](LogSink& sink) {
    return serve(data, settings, clock, Log(sink, clock, settings.log_level), files);
  };
  switch (settings.logs.to) {
    case LogSettings::To::both: return serve_with(both);
    case LogSettings::To::files: return serve_with(files);
    case LogSettings::To::standard_error: break;
  }
  return serve_with(standard_error);
}

Result<void> run_root(std::span<char*> words) {
  SP_TRY(const auto order, root_order(copy_of(words)));
  const SystemClock clock;
  SP_TRY(const auto told, change_root(order, clock));
  fmt::print("{}", told);
  return {};
}

Result<std::string> needed(const Options& options, std::string_view name) {
  auto value = get(options, name);
  if (value.empty()) return fail(Errc::invalid, fmt::format("--{} is needed", name));
  return value;
}

Result<std::string> create(const Options& options) {
  const auto file = get(options, "file");
  if (!file.empty() && get(options, "data").empty()) return create_key_file(file, get(options, "passphrase-file"));
  if (!file.empty() || !get(options, "passphrase-file").empty())
    return fail(Errc::invalid, "give --file, or --data alone: then relay.yaml says where, and its passphrase");
  SP_TRY(const auto root, needed(options, "data"));
  return create_key({root});
}

Result<std::string> do_with_keys(std::string_view verb, const Options& options, Loss loss) {
  if (verb == "create") return create(options);
  SP_TRY(const auto root, needed(options, "data"));
  const DataDirectory data{root};
  const SystemClock clock;
  if (verb == "rewrap") {
    SP_TRY(const auto from, needed(options, "from"));
    return rewrap_keys(data, from, clock);
  }
  if (verb == "protect") {
    SP_TRY(const auto file, needed(options, "passphrase-file"));
    return protect_key(data, file);
  }
  if (verb == "restore") return restore_keys(data, get(options, "backup"), loss, clock);
  if (verb == "confirm-clock") return confirm_clock(data);
  return fail(Errc::invalid, fmt::format("keys has no word '{}'", verb));
}

Result<void> run_keys(std::span<char*> words) {
  static constexpr std::string_view kKnown[] = {"data", "from", "file", "passphrase-file", "backup"};
  if (words.empty()) return fail(Errc::invalid, "keys needs a word: rewrap, protect, restore, create or confirm-clock");
  const std::string_view verb = words[0];
  auto rest = copy_of(words.subspan(1));
  const auto loss = verb == "restore" && std::erase(rest, "--accept-loss") > 0 ? Loss::accepted : Loss::refused;
  SP_TRY(const auto options, parse_options(rest, kKnown));
  SP_TRY(const auto told, do_with_keys(verb, options, loss));
  fmt::print("{}", told);
  return {};
}

// "--version" and "VERB --help" too: what people try first.
std::string_view word_of(std::span<char*> words) {
  if (words.empty()) return "";
  const auto asks = [](std::string_view word) { return word == "--help" || word == "-h"; };
  if (std::ranges::any_of(words, asks)) return "--help";
  return std::string_view(words[0]) == "--version" ? "version" : words[0];
}

int run(std::span<char*> words) {
  const std::string_view word = word_of(words);
  Result<void> outcome;
  if (word == "version") {
    fmt::print("sallyport-relay " SALLYPORT_VERSION "\n");
  } else if (word == "init") {
    outcome = run_init(words.subspan(1));
  } else if (word == "serve") {
    outcome = run_serve(words.subspan(1));
  } else if (word == "token") {
    outcome = run_token(words.subspan(1));
  } else if (word == "root") {
    outcome = run_root(words.subspan(1));
  } else if (word == "keys") {
    outcome = run_keys(words.subspan(1));
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
  std::signal(SIGHUP, SIG_IGN);  // until the relay listens to it: whoever changes the deployment may be early
  try {
    return run(std::span(words + 1, static_cast<std::size_t>(count - 1)));
  } catch (const std::exception& e) {
    fmt::print(stderr, "sallyport-relay: {}\n", e.what());
    return 1;
  }
}
