#include "relay/jobs/volatile_payloads.h"

#include <fmt/format.h>

namespace sallyport::jobs {
namespace {

constexpr std::size_t kEntryBytes = 512;  // what an entry needs besides its data

bool has_room(const VolatilePayloads::Share& taken, const VolatilePayloads::Share& limit, std::size_t bytes) {
  return taken.jobs < limit.jobs && bytes <= limit.bytes - taken.bytes;
}

std::unexpected<Error> no_room(std::string_view what_is_full) {
  return fail(Errc::exhausted,
              fmt::format("the recipe keeps no payload (retention: {{payload: none}}), so that the relay holds it in "
                          "memory until the job ends, and {}; start it again when such jobs have ended, or cancel what "
                          "need not run",
                          what_is_full));
}

}  // namespace

Result<VolatilePayloads::Place> VolatilePayloads::hold(const JobKey& job, Secret trigger) {
  const std::size_t bytes = kEntryBytes + trigger.size();
  const auto ours = held(job.org);
  if (!has_room(ours, limits_.of_organisation, bytes)) {
    return no_room(
        fmt::format("your organisation's share of it is full ({} jobs with {} KiB)", ours.jobs, ours.bytes >> 10));
  }
  if (!has_room(all_, limits_.all, bytes)) return no_room("what this relay has for it is full");
  if (!triggers_.try_emplace(job, std::move(trigger)).second) return fail(Errc::internal, "held twice");
  for (auto* share : {&all_, &by_organisation_.try_emplace(job.org, 0, 0).first->second}) {
    ++share->jobs;
    share->bytes += bytes;
  }
  return Place(*this, job);
}

const Secret* VolatilePayloads::find(const JobKey& job) const {
  const auto it = triggers_.find(job);
  return it == triggers_.end() ? nullptr : &it->second;
}

void VolatilePayloads::forget(const JobKey& job) {
  const auto it = triggers_.find(job);
  if (it == triggers_.end()) return;
  const std::size_t bytes = kEntryBytes + it->second.size();
  const auto ours = by_organisation_.find(job.org);
  for (auto* share : {&all_, &ours->second}) {
    --share->jobs;
    share->bytes -= bytes;
  }
  if (ours->second.jobs == 0) by_organisation_.erase(ours);
  triggers_.erase(it);
}

void VolatilePayloads::forget_all(const OrgId& org) {
  for (auto it = triggers_.lower_bound({org, JobId()}); it != triggers_.end() && it->first.org == org;) {
    const auto job = (it++)->first;
    forget(job);
  }
}

VolatilePayloads::Share VolatilePayloads::held(const OrgId& org) const {
  const auto it = by_organisation_.find(org);
  return it == by_organisation_.end() ? Share{0, 0} : it->second;
}

}  // namespace sallyport::jobs
