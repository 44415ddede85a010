#include "relay/app/options.h"

#include "shared/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::app {
namespace {

constexpr std::array<std::string_view, 10> kInitOptions{"data", "organisation", "owner", "api",          "api-url",
                                                        "link", "link-address", "name",  "trust-domain", "token-file"};

constexpr std::array<std::string_view, 4> kTokenOptions{"data", "owner", "organisation", "token-file"};

Result<void> read_addresses(const Options& options, Settings& settings) {
  auto api = parse_listen_address(get(options, "api", "127.0.0.1:8443"));
  if (!api) return in_context("--api", api.error());
  auto link = parse_listen_address(get(options, "link", "127.0.0.1:8444"));
  if (!link) return in_context("--link", link.error());
  auto dialled = parse_host_port(get(options, "link-address", to_string(*link)));
  if (!dialled) return in_context("--link-address", dialled.error());
  settings.api_listen = *std::move(api);
  settings.link_listen = *std::move(link);
  settings.link_address = *std::move(dialled);
  settings.api_url = get(options, "api-url", "https://" + to_string(settings.api_listen));
  return {};
}

}  // namespace

Result<Options> parse_options(const std::vector<std::string>& words, std::span<const std::string_view> known) {
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
    const std::string key(name);
    options[key] = equals != std::string_view::npos ? std::string(word.substr(equals + 1)) : words[++i];
  }
  return options;
}

std::string get(const Options& options, std::string_view name, std::string_view otherwise) {
  const auto it = options.find(name);
  return it == options.end() ? std::string(otherwise) : it->second;
}

std::span<const std::string_view> init_option_names() { return kInitOptions; }

Result<InitOrder> init_order(const Options& options) {
  InitOrder order;
  order.data.root = get(options, "data");
  order.organisation = get(options, "organisation");
  order.owner_email = get(options, "owner");
  order.owner_name = order.owner_email.substr(0, order.owner_email.find('@'));
  if (order.data.root.empty() || order.organisation.empty() || order.owner_email.empty())
    return fail(Errc::invalid, "--data, --organisation and --owner are needed");
  order.trust_domain = get(options, "trust-domain", "sallyport.internal");
  SP_CHECK(read_addresses(options, order.settings));
  order.server_names = {"localhost"};
  if (const auto name = get(options, "name"); !name.empty()) order.server_names.push_back(name);
  return order;
}

std::span<const std::string_view> token_option_names() { return kTokenOptions; }

Result<TokenOrder> token_order(const Options& options) {
  TokenOrder order{{get(options, "data")}, get(options, "owner"), get(options, "organisation")};
  if (order.data.root.empty() || order.owner_email.empty()) return fail(Errc::invalid, "--data and --owner are needed");
  return order;
}

Result<RootOrder> root_order(const std::vector<std::string>& words) {
  static constexpr std::array<std::string_view, 4> kSteps{"show", "prepare", "switch", "retire"};
  static constexpr std::array<std::string_view, 1> kKnown{"data"};
  const auto step = words.empty() ? kSteps.end() : std::ranges::find(kSteps, words.front());
  if (step == kSteps.end()) return fail(Errc::invalid, "root needs one of: show, prepare, switch, retire");
  RootOrder order;
  order.step = static_cast<RootStep>(step - kSteps.begin());
  std::vector<std::string> rest(words.begin() + 1, words.end());
  if (std::erase(rest, "--force") > 0) order.retirement = Retirement::forced;
  SP_TRY(const auto options, parse_options(rest, kKnown));
  order.data.root = get(options, "data");
  if (order.data.root.empty()) return fail(Errc::invalid, "--data is needed");
  if (order.retirement == Retirement::forced && order.step != RootStep::retire)
    return fail(Errc::invalid, "--force is for root retire only");
  return order;
}

}  // namespace sallyport::app
