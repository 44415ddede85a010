#include "relay/keys/key_names.h"

#include <fmt/format.h>

namespace sallyport::keys {

std::string global_name(std::uint32_t version) { return fmt::format("global/{}", version); }

std::string tenant_name(const OrgId& org, std::uint32_t version) {
  return fmt::format("tenant/{}/{}", org.value, version);
}

std::string attachment_name(const OrgId& org, std::uint32_t version) {
  return fmt::format("attachment/{}/{}", org.value, version);
}

std::string credentials_name(const OrgId& org, std::uint32_t version) {
  return fmt::format("credentials/{}/{}", org.value, version);
}

std::string ratchet_name(const OrgId& org, const store::RetentionLane& lane, store::Hour position) {
  return fmt::format("ratchet/{}/{}/{}/{}", org.value, lane.kind, lane.hours, position);
}

std::string hour_prefix(const OrgId& org, const store::RetentionLane& lane) {
  return fmt::format("hour/{}/{}/{}/", org.value, lane.kind, lane.hours);
}

std::string hour_name(const OrgId& org, const store::RetentionLane& lane, store::Hour hour) {
  return fmt::format("{}{}", hour_prefix(org, lane), hour);
}

std::string job_prefix(const OrgId& org) { return fmt::format("job/{}/", org.value); }

std::string_view prefix_of(std::string_view name) {
  if (name.starts_with("hour/")) return name.substr(0, name.rfind('/') + 1);
  if (name.starts_with("job/")) return name.substr(0, name.find('/', 4) + 1);
  return name;
}

std::string_view organisation_of(std::string_view name) {
  const auto begin = name.find('/');
  const auto end = begin == std::string_view::npos ? begin : name.find('/', begin + 1);
  return end == std::string_view::npos ? "" : name.substr(begin + 1, end - begin - 1);
}

std::string job_key_name(const OrgId& org, const JobId& job, const store::RetentionLane& lane) {
  return fmt::format("job/{}/{}/{}/{}", org.value, job.value, lane.kind, lane.hours);
}

}  // namespace sallyport::keys
