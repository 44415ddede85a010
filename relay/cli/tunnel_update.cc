#include "relay/cli/tunnel_update.h"

#include "relay/cli/requests.h"
#include "relay/cli/tunnel_card.h"
#include "relay/cli/tunnel_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::cli {
namespace {

constexpr std::array kSetters{kFromOption, kRoleOption, kTokenOption,  kConnectionsOption,
                              kRateOption, kIdleOption, kExpiresOption};
constexpr std::array<Option, 5> kClearers{{{"no-role", "", "no role may open it: only the API tokens may"},
                                           {"no-token", "", "no API token by its name"},
                                           {"no-rate", "", "no limit of bytes a second"},
                                           {"no-idle", "", "no limit of time without a byte"},
                                           {"no-expires", "", "no end"}}};

Result<void> check(const Arguments& arguments) {
  const auto given = [&](const Option& option) { return arguments.has(option.name); };
  if (std::ranges::none_of(kSetters, given) && std::ranges::none_of(kClearers, given))
    return fail(Errc::invalid, "nothing to change: name what is to be different");
  for (const auto& clearer : kClearers) {
    const auto option = clearer.name.substr(clearer.name.find('-') + 1);
    if (arguments.has(clearer.name) && arguments.has(option))
      return fail(Errc::invalid, fmt::format("--{} and --{} exclude each other", option, clearer.name));
  }
  return check_tunnel_options(arguments);
}

int update(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, id_of(client, "tunnel", "tun_", "/v1/tunnels", arguments.positional(0)));
    const auto path = fill("/v1/tunnels/{}", id);
    auto changed = client.patch(path, Value(tunnel_terms(context, arguments)));
    if (!changed && !(arguments.has("token") && is_other_absent(client, changed.error(), path)))
      return std::unexpected(about(std::move(changed).error(), "tunnel", arguments.positional(0)));
    if (!changed)
      return fail(Errc::not_found, "there is no such API token of this organisation; see: sallyport token list");
    const auto shown = named_tunnel(client, *std::move(changed));
    context.show(shown, card_of_tunnel(shown));
    return {};
  });
}

}  // namespace

Command update_command() {
  std::vector<Option> options(kSetters.begin(), kSetters.end());
  options.insert(options.end(), kClearers.begin(), kClearers.end());
  return {"tunnel",
          "update",
          {"TUNNEL"},
          std::move(options),
          "change who may use a tunnel, its limits and its end",
          update,
          check,
          "What no option names stays as it is; --from, --role and --token replace all that was\n"
          "there of their kind. Whoever may use it no longer is cut at once. Changed limits hold\n"
          "for connections that begin later."};
}

}  // namespace sallyport::cli
