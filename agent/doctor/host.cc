#include "agent/doctor/host.h"

#include "agent/platform/secret_file.h"

#include <fmt/format.h>

#include <filesystem>

namespace sallyport::doctor {
namespace {

using std::chrono::seconds;

constexpr seconds kSmallDifference{5};
constexpr seconds kLargeDifference{60};

// Thirty days of a certificate are renewed in their last third.
constexpr std::chrono::hours kRenewedByThen{24 * 5};

}  // namespace

Finding examine_state(const std::string& directory) {
  std::error_code bad;
  if (!std::filesystem::is_directory(directory, bad))
    return {"state", Verdict::bad, fmt::format("the state directory {} is not there", directory),
            "sallyport-agent enrol makes it; or correct `state_dir` in agent.yaml"};
  if (const auto fine = platform::prepare_private_directory(directory); !fine)
    return {"state", Verdict::bad, fine.error().message};
  const auto space = std::filesystem::space(directory, bad);
  if (bad) return {"state", Verdict::bad, fmt::format("the state directory {}: {}", directory, bad.message())};
  const auto free_mib = space.available >> 20;
  if (space.available < kLittleSpace)
    return {"state", Verdict::note, fmt::format("the state directory {} has {} MiB left", directory, free_mib),
            "make room on its disk: the journal and the reports that wait for the relay are there"};
  return {"state", Verdict::good,
          fmt::format("the state directory {} is this agent's alone and has {} MiB left", directory, free_mib)};
}

Finding examine_identity(const Result<agent::Identity>& loaded, const std::string& file) {
  if (loaded) {
    const auto& id = loaded->id;
    return {"identity", Verdict::good,
            fmt::format("this is agent {} of {}, group {}", id.agent.value, id.org.value, loaded->group)};
  }
  if (loaded.error().code == Errc::not_found)
    return {"identity", Verdict::bad, fmt::format("this agent is not enrolled: there is no {}", file),
            "give an enrolment string to: sallyport-agent enrol -"};
  return {"identity", Verdict::bad, loaded.error().message};
}

Finding examine_certificate(const crypto::Certificate& certificate, const Clock& clock) {
  const auto now = clock.wall();
  const auto life = fmt::format("from {} to {}, and this machine's clock says {}", rfc3339(certificate.not_before()),
                                rfc3339(certificate.not_after()), rfc3339(now));
  if (now < certificate.not_before())
    return {"certificate", Verdict::bad, "this agent's certificate is good " + life, "set this machine's clock"};
  if (now >= certificate.not_after())
    return {"certificate", Verdict::bad, "this agent's certificate has ended: it was good " + life,
            fmt::format("if the clock is right, the agent was away for too long: {}", agent::kHowToEnrolAgain)};
  if (now + kRenewedByThen >= certificate.not_after())
    return {"certificate", Verdict::note,
            "this agent's certificate ends soon, and should have been renewed: it is good " + life,
            "an agent renews it over its link: see why that failed in the agent's log (certificate.*)"};
  return {"certificate", Verdict::good,
          fmt::format("this agent's certificate is good until {}, and is renewed over the link before",
                      rfc3339(certificate.not_after()))};
}

Finding examine_clock(std::chrono::milliseconds ahead) {
  const auto off = std::chrono::abs(ahead);
  const auto how = fmt::format("this machine's clock is {:.1f} s {} the relay's",
                               static_cast<double>(off.count()) / 1000, ahead.count() < 0 ? "behind" : "ahead of");
  if (off <= kSmallDifference) return {"clock", Verdict::good, how};
  return {"clock", off <= kLargeDifference ? Verdict::note : Verdict::bad, how,
          "set the clock that is wrong, and keep it right (NTP): schedules and certificates go by it"};
}

}  // namespace sallyport::doctor
