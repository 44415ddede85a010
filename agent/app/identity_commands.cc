#include "agent/app/identity_commands.h"

#include "agent/app/link_settings.h"
#include "agent/link/dialer.h"
#include "agent/link/enrol.h"
#include "agent/link/ways.h"
#include "agent/platform/host_name.h"
#include "agent/platform/secret_file.h"
#include "agent/platform/state_lock.h"
#include "agent/system_keys/sealing_keys.h"
#include "shared/async/run.h"
#include "shared/base/log.h"

#include <fmt/format.h>
#include <boost/asio/io_context.hpp>

#include <filesystem>

namespace sallyport::app {
namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace {

constexpr auto kEnrolTime = std::chrono::seconds(30);
constexpr int kStandardError = 2;

std::string sealing_keys_file(const policy::Config& config) {
  return (fs::path(config.agent.state_dir) / "sealing-keys").string();
}

// `text` is wiped where it is read.
asio::awaitable<Result<agent::Identity>> enrol_by(const policy::Config& config, std::string text,
                                                  std::optional<crypto::SpiffeId> already, const Clock& clock) {
  SP_CO_TRY(const auto proxy, proxy_text(config.agent.proxy));
  const agent::Dialer dialer(co_await asio::this_coro::executor, proxy, agent::process_environment);
  FdSink sink(kStandardError);
  const Log log(sink, clock, LogLevel::warn);
  agent::Ways ways({dialer, clock, log}, via_of(config.agent.link), {.tries = 1}, random_fraction);
  agent::EnrolSettings settings{platform::host_name(), std::string(kSoftware), std::move(already)};
  co_return co_await agent::enrol(std::move(text), std::move(settings), ways, clock,
                                  std::chrono::steady_clock::now() + kEnrolTime);
}

// Nothing: this is no agent yet.
Result<std::optional<crypto::SpiffeId>> present_agent(const agent::FileIdentityStore& identities,
                                                      const std::string& file) {
  const auto present = identities.load();
  if (present) return present->id;
  if (!fs::exists(file)) return std::nullopt;
  return fail(Errc::conflict,
              fmt::format("{}; remove {} first: a string made for an agent gives it its identity back, any other makes "
                          "a new agent",
                          present.error().message, file));
}

Error with_help(Error error, const crypto::SpiffeId& already, const std::string& file) {
  if (error.code != Errc::conflict) return error;
  error.message += fmt::format(
      ". This is {0} already. For a new certificate of it, make a string with: sallyport agent "
      "reenrol {0}. To be a new agent, remove {1} first",
      already.agent.value, file);
  return error;
}

// Of a first enrolment: the relay has made an agent whose key nobody has.
Error without_files(Error error, const crypto::SpiffeId& made) {
  error.message += fmt::format(
      ". The enrolment string is used up, and the relay lists {0}, which can never link: revoke it with \"sallyport "
      "agent "
      "revoke {0}\" and enrol with a new string",
      made.agent.value);
  return error;
}

}  // namespace

Result<std::string> enrol_agent(const policy::Config& config, std::string enrolment_string, const Clock& clock) {
  SP_CHECK(platform::prepare_private_directory(config.agent.state_dir));
  SP_TRY(const auto lock, platform::StateLock::take(config.agent.state_dir));
  const auto file = identity_file(config).string();
  agent::FileIdentityStore identities(file);
  SP_TRY(const auto already, present_agent(identities, file));
  asio::io_context loop(1);
  auto enrolled = run_to_end(loop, enrol_by(config, std::move(enrolment_string), already, clock), "the enrolment");
  if (!enrolled) {
    if (!already) return std::unexpected(std::move(enrolled).error());
    return std::unexpected(with_help(std::move(enrolled).error(), *already, file));
  }
  if (auto installed = identities.install(*enrolled); !installed) {
    auto error = std::move(installed).error();
    return std::unexpected(already ? agent::after_asking(std::move(error), already)
                                   : without_files(std::move(error), enrolled->id));
  }
  return fmt::format("{} in group {} of {}, relay {}{}", enrolled->id.agent.value, enrolled->group,
                     enrolled->id.org.value, to_string(enrolled->relay),
                     already ? "; its certificate is a new one, everything else is as it was" : "");
}

Result<std::string> sealing_key_fingerprint(const policy::Config& config) {
  SP_TRY(const auto keys, agent::SealingKeys::load(sealing_keys_file(config)));
  return fmt::format("{} (generation {})", sealing::fingerprint_of(keys.newest_key().public_point()), keys.newest());
}

Result<std::string> renew_sealing_key(const policy::Config& config, const Clock& clock) {
  SP_CHECK(platform::prepare_private_directory(config.agent.state_dir));
  SP_TRY(const auto lock, platform::StateLock::take(config.agent.state_dir));
  SP_TRY(auto keys, agent::SealingKeys::load(sealing_keys_file(config)));
  SP_CHECK(keys.renew(clock.wall()));
  return sealing_key_fingerprint(config);
}

}  // namespace sallyport::app
