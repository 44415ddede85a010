#include "agent/app/authorize.h"

#include "agent/app/link_settings.h"
#include "agent/app/private_vault.h"
#include "agent/connectors/http/authorizer.h"
#include "agent/vault/refresh_tokens.h"
#include "shared/base/log.h"

#include <fmt/format.h>

namespace sallyport::app {
namespace {

constexpr int kStandardError = 2;
constexpr std::chrono::seconds kExchange{30};

std::unexpected<Error> told(const connectors::StepError& error) {
  const auto rule = error.rule.empty() ? "" : fmt::format(" ({})", error.rule);
  return fail(error.error_class() == "not_found" ? Errc::not_found : Errc::invalid, error.message + rule);
}

}  // namespace

Result<void> authorize_connection(const policy::Config& config, const std::string& name, const Clock& clock,
                                  const std::function<void(const std::string&)>& show,
                                  const std::function<std::string()>& ask) {
  FdSink sink(kStandardError);
  const Log log(sink, clock, LogLevel::warn);
  const PrivateVault vault(config, clock, log);
  const vault::RefreshTokens tokens(config.agent.state_dir);
  const connectors::http::Authorizer authorizer(
      {config.connections, config.policy, vault.vault(), clock, log, &tokens});
  const auto pending = authorizer.begin(name);
  if (!pending) return told(pending.error());
  show(pending->url);
  const auto answer = connectors::http::parse_authorization_answer(ask());
  if (!answer) return told(answer.error());
  const auto done = authorizer.finish(name, *pending, *answer, {clock, clock.steady() + kExchange, {}});
  if (!done) return told(done.error());
  return {};
}

}  // namespace sallyport::app
