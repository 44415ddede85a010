#include "agent/journal/memory_spool.h"

#include "shared/base/text.h"
#include "shared/crypto/random.h"

namespace sallyport::journal {
namespace {

constexpr std::string_view kPrefix = "memory-";  // no name of a file in the spool begins with it
constexpr std::size_t kNameBytes = 16;

std::uint64_t size_of(const MemorySpool::Chunks& chunks) {
  std::uint64_t size = 0;
  for (const auto& chunk : chunks) size += chunk.size();
  return size;
}

}  // namespace

bool MemorySpool::names(std::string_view name) { return name.starts_with(kPrefix); }

Result<void> MemorySpool::Writer::write(std::span<const std::byte> bytes) {
  if (bytes.empty()) return {};
  SP_CHECK(spool_.reserve(bytes.size()));
  size_ += bytes.size();
  written_ += bytes.size();
  chunks_.push_back(Secret::take(std::string(as_text(bytes))));
  return {};
}

std::string MemorySpool::Writer::commit() {
  auto name = std::string(kPrefix) + hex(crypto::random_bytes(kNameBytes));
  const std::scoped_lock lock(spool_.mutex_);
  spool_.bodies_.emplace(Key{job_, name}, std::make_shared<const Chunks>(std::exchange(chunks_, {})));
  size_ = 0;
  return name;
}

Result<std::shared_ptr<const MemorySpool::Chunks>> MemorySpool::read(const JobId& job, const std::string& name) const {
  const std::scoped_lock lock(mutex_);
  const auto it = bodies_.find({job, name});
  if (it != bodies_.end()) return it->second;
  return fail(Errc::not_found, "this body was kept in memory only, and the agent was stopped since");
}

void MemorySpool::remove(const JobId& job, const std::string& name) {
  const std::scoped_lock lock(mutex_);
  const auto it = bodies_.find({job, name});
  if (it == bodies_.end()) return;
  used_ -= size_of(*it->second);
  bodies_.erase(it);
}

void MemorySpool::remove_job(const JobId& job) {
  const std::scoped_lock lock(mutex_);
  for (auto it = bodies_.lower_bound({job, ""}); it != bodies_.end() && it->first.first == job;) {
    used_ -= size_of(*it->second);
    it = bodies_.erase(it);
  }
}

std::uint64_t MemorySpool::used() const {
  const std::scoped_lock lock(mutex_);
  return used_;
}

Result<void> MemorySpool::reserve(std::uint64_t bytes) {
  const std::scoped_lock lock(mutex_);
  if (used_ + bytes > max_total_)
    return fail(Errc::too_large,
                "a body that must be on no disk (it is masked, or its recipe keeps nothing) does not "
                "fit into memory: all of them together have at most " +
                    std::to_string(max_total_) + " bytes");
  used_ += bytes;
  return {};
}

void MemorySpool::release(std::uint64_t bytes) {
  const std::scoped_lock lock(mutex_);
  used_ -= bytes;
}

}  // namespace sallyport::journal
