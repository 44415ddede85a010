#include "relay/app/init.h"
#include "relay/app/key_command.h"
#include "relay/app/key_restore.h"
#include "relay/app/options.h"
#include "relay/app/owner_token.h"
#include "relay/app/relay.h"
#include "relay/app/token_file.h"
#include "shared/base/undumpable.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <exception>
#include <functional>
#include <map>
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

// What words ask for: an error before it is run is in the words.
using Work = std::function<Result<void>()>;

Result<void> run_init(const InitOrder& order, const std::string& token_file) {
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

Result<Work> init_work(std::span<char*> words) {
  SP_TRY(const auto options, parse_options(copy_of(words), init_option_names()));
  SP_TRY(const auto order, init_order(options));
  SP_CHECK(check(order));
  return [order, file = get(options, "token-file")] { return run_init(order, file); };
}

Result<void> run_token(const TokenOrder& order, const std::string& file) {
  if (!file.empty()) SP_CHECK(check_token_file(file));
  const SystemClock clock;
  SP_TRY(const auto token, make_owner_token(order, clock));
  const auto handed = file.empty() ? print_token(STDOUT_FILENO, token) : write_token(file, token);
  if (!handed) return in_context("the token was made and cannot be handed over; make another", handed.error());
  return {};
}

Result<Work> token_work(std::span<char*> words) {
  SP_TRY(const auto options, parse_options(copy_of(words), token_option_names()));
  SP_TRY(const auto order, token_order(options));
  return [order, file = get(options, "token-file")] { return run_token(order, file); };
}

Result<void> run_serve(const DataDirectory& data) {
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

// Prints what it tells when it is done.
template <class Tell>
Work telling(Tell tell) {
  return [tell = std::move(tell)]() -> Result<void> {
    SP_TRY(const auto told, tell(SystemClock()));
    fmt::print("{}", told);
    return {};
  };
}

Result<Work> root_work(std::span<char*> words) {
  SP_TRY(const auto order, root_order(copy_of(words)));
  return telling([order](const Clock& clock) { return change_root(order, clock); });
}

Result<std::string> needed(const Options& options, std::string_view name) {
  auto value = get(options, name);
  if (value.empty()) return fail(Errc::invalid, fmt::format("--{} is needed", name));
  return value;
}

Result<Work> serve_work(std::span<char*> words) {
  static constexpr std::string_view kKnown[] = {"data"};
  SP_TRY(const auto options, parse_options(copy_of(words), kKnown));
  SP_TRY(const auto root, needed(options, "data"));
  return [data = DataDirectory{root}] { return run_serve(data); };
}

Result<Work> create_work(const Options& options) {
  const auto file = get(options, "file"), passphrase_file = get(options, "passphrase-file");
  const DataDirectory data{get(options, "data")};
  if (!file.empty() && data.root.empty())
    return telling([file, passphrase_file](const Clock&) { return create_key_file(file, passphrase_file); });
  if (data.root.empty() || !file.empty() || !passphrase_file.empty())
    return fail(Errc::invalid, "give --file, or --data alone: then relay.yaml says where, and its passphrase");
  return telling([data](const Clock&) { return create_key(data); });
}

Result<Work> rewrap_work(const DataDirectory& data, const Options& options) {
  SP_TRY(const auto from, needed(options, "from"));
  return telling([data, from](const Clock& clock) { return rewrap_keys(data, from, clock); });
}

Result<Work> protect_work(const DataDirectory& data, const Options& options) {
  SP_TRY(const auto file, needed(options, "passphrase-file"));
  return telling([data, file](const Clock&) { return protect_key(data, file); });
}

constexpr std::array<std::string_view, 5> kKeyWords{"rewrap", "protect", "restore", "create", "confirm-clock"};

Result<Work> key_work(std::span<char*> words) {
  static constexpr std::string_view kKnown[] = {"data", "from", "file", "passphrase-file", "backup"};
  const std::string_view verb = words.empty() ? "" : words[0];
  if (std::ranges::find(kKeyWords, verb) == kKeyWords.end()) {
    return fail(Errc::invalid, fmt::format("keys needs one of these words: {}{}", fmt::join(kKeyWords, ", "),
                                           verb.empty() ? "" : fmt::format("; '{}' is none", verb)));
  }
  auto rest = copy_of(words.subspan(1));
  const auto loss = verb == "restore" && std::erase(rest, "--accept-loss") > 0 ? Loss::accepted : Loss::refused;
  SP_TRY(const auto options, parse_options(rest, kKnown));
  if (verb == "create") return create_work(options);
  SP_TRY(const auto root, needed(options, "data"));
  const DataDirectory data{root};
  if (verb == "rewrap") return rewrap_work(data, options);
  if (verb == "protect") return protect_work(data, options);
  if (verb == "confirm-clock") return telling([data](const Clock&) { return confirm_clock(data); });
  return telling([data, backup = get(options, "backup"), loss](const Clock& clock) {
    return restore_keys(data, backup, loss, clock);
  });
}

// "--version" and "VERB --help" too: what people try first.
std::string_view word_of(std::span<char*> words) {
  if (words.empty()) return "";
  const auto asks = [](std::string_view word) { return word == "--help" || word == "-h"; };
  if (std::ranges::any_of(words, asks)) return "--help";
  return std::string_view(words[0]) == "--version" ? "version" : words[0];
}

int failed(const Error& why, int code) {
  fmt::print(stderr, "sallyport-relay: {}\n", why.message);
  return code;
}

int run(std::span<char*> words) {
  static const std::map<std::string_view, Result<Work> (*)(std::span<char*>)> kVerbs{
      {"init", init_work}, {"serve", serve_work}, {"token", token_work}, {"root", root_work}, {"keys", key_work}};
  const std::string_view word = word_of(words);
  if (word == "version") {
    fmt::print("sallyport-relay " SALLYPORT_VERSION "\n");
    return 0;
  }
  const auto verb = kVerbs.find(word);
  if (verb == kVerbs.end()) {
    fmt::print(words.empty() ? stderr : stdout, "{}", kUsage);
    return word == "help" || word == "--help" ? 0 : 2;
  }
  const auto work = verb->second(words.subspan(1));
  if (!work) return failed(work.error(), 2);
  const auto outcome = (*work)();
  return outcome ? 0 : failed(outcome.error(), 1);
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
