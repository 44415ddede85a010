#include "relay/gateway/outgoing.h"

#include "relay/gateway/codec.h"
#include "shared/mux/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace sallyport::gateway {

std::size_t Outgoing::room_for_jobs() const {
  if (is_full_of_jobs()) return 0;
  return std::max<std::size_t>(1, std::min((kJobsRoom - bytes_) / job_bytes_, kJobsMessages - messages_.size()));
}

Result<void> Outgoing::push(const jobs::ToAgent& message) {
  const bool is_job = std::holds_alternative<jobs::Dispatch>(message);
  if (is_job && is_full_of_jobs())
    return fail(Errc::unavailable, "jobs before this one are still on their way to the agent");
  auto parts = encode(message);
  std::size_t size = 0;
  for (const auto& part : parts) {
    if (part.size() > mux::kMaxMessage)
      return fail(Errc::too_large, fmt::format("a message of {} bytes does not fit on a channel", part.size()));
    size += part.size();
  }
  if (messages_.size() + parts.size() > kMaxMessages || bytes_ + size > kMaxBytes)
    return fail(Errc::exhausted, "the agent does not take its messages");
  bytes_ += size;
  if (is_job) job_bytes_ = std::max<std::size_t>(size, 1);
  std::ranges::move(parts, std::back_inserter(messages_));
  return {};
}

std::optional<std::string> Outgoing::pop() {
  if (messages_.empty()) return std::nullopt;
  auto first = std::move(messages_.front());
  messages_.pop_front();
  bytes_ -= first.size();
  return first;
}

}  // namespace sallyport::gateway
