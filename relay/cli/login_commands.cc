#include "relay/cli/commands.h"
#include "relay/cli/profile.h"
#include "relay/cli/relay_address.h"

#include <fmt/format.h>

#include <termios.h>
#include <unistd.h>

namespace sallyport::cli {
namespace {

constexpr std::size_t kMaxToken = 4096;

// Reads one line; on a terminal without showing what is typed.
std::string read_token(const Context& context) {
  const int fd = ::fileno(context.in);
  termios before{};
  const bool terminal = ::isatty(fd) == 1 && ::tcgetattr(fd, &before) == 0;
  if (terminal) {
    fmt::print(context.err, "Token: ");
    termios hidden = before;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(fd, TCSANOW, &hidden);
  }
  std::string token;
  for (int c = std::fgetc(context.in); c != EOF && c != '\n' && token.size() < kMaxToken; c = std::fgetc(context.in)) {
    if (c != '\r') token += static_cast<char>(c);
  }
  if (terminal) {
    ::tcsetattr(fd, TCSANOW, &before);
    fmt::print(context.err, "\n");
  }
  return token;
}

int log_in(Context& context, const Arguments& arguments) {
  Endpoint endpoint;
  if (auto url = relay_address(arguments.get("relay"))) endpoint.url = *url;
  auto root = read_root(arguments.get("root"));
  if (!root) return context.fail_with({Errc::invalid, "--root, the deployment's root.pem: " + root.error().message});
  endpoint.root_pem = *root;
  endpoint.token = Secret::take(read_token(context));
  if (endpoint.token.empty()) return context.fail_with({Errc::invalid, "no token on standard input"});

  auto who = Client({endpoint.url, endpoint.root_pem, endpoint.token.duplicate()}).get("/v1/whoami");
  if (!who) return context.fail_with(who.error());
  auto file = save_login(context, endpoint);
  if (!file) return context.fail_with(file.error());
  context.show(*who, fmt::format("Logged in; saved in {}\n", *file));
  return kDone;
}

int log_out(Context& context, const Arguments&) {
  if (auto gone = forget_login(context); !gone) return context.fail_with(gone.error());
  context.show(Value(ValueMap{{Value("logged_in"), Value(false)}}), "Logged out\n");
  return kDone;
}

int who_am_i(Context& context, const Arguments&) {
  auto endpoint = load_endpoint(context);
  if (!endpoint) return context.fail_with(endpoint.error());
  auto who = Client(std::move(*endpoint)).get("/v1/whoami");
  if (!who) return context.fail_with(who.error());
  context.show(*who, terminal_safe_json(yaml_of(*who)));
  return kDone;
}

}  // namespace

std::vector<Command> login_commands() {
  return {
      {"login",
       "",
       {},
       {{"relay", "URL", "the relay's address, https://HOST:PORT", Need::required},
        {"root", "FILE", "the deployment's root certificate (root.pem)", Need::required}},
       "log in with a token read from standard input",
       log_in},
      {"logout", "", {}, {}, "forget the login on this machine", log_out},
      {"whoami", "", {}, {}, "show user, organisation, role and scopes of the login", who_am_i},
  };
}

}  // namespace sallyport::cli
