#include "relay/cli/commands.h"
#include "relay/cli/profile.h"
#include "relay/cli/relay_address.h"
#include "relay/cli/token_input.h"

#include <fmt/format.h>

namespace sallyport::cli {
namespace {

int log_in(Context& context, const Arguments& arguments) {
  Endpoint endpoint;
  if (auto url = relay_address(arguments.get("relay"))) endpoint.url = *url;
  auto root = read_root(arguments.get("root"));
  if (!root) return context.fail_with({Errc::invalid, "--root, the deployment's root.pem: " + root.error().message});
  endpoint.root_pem = *root;
  auto token = read_token(context.in, context.err);
  if (!token) return context.fail_with(token.error());
  endpoint.token = *std::move(token);

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
