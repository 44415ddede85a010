#include "relay/store/history.h"

#include <fmt/format.h>

namespace sallyport::store {

std::string step_record(const JobId& job, std::string_view path, std::uint32_t attempt) {
  return fmt::format("{}/{}/{}", job.value, path, attempt);
}

std::string entry_record(const JobId& job, std::uint64_t epoch, std::uint64_t job_seq) {
  return fmt::format("{}/{}/{}", job.value, epoch, job_seq);
}

}  // namespace sallyport::store
