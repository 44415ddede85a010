#pragma once

#include "shared/base/ids.h"
#include "shared/base/result.h"
#include "shared/base/secret.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sallyport::journal {

// Bodies that must be on no disk: of steps that mask what they give and of jobs without retention. Gone with the
// process, wiped when they are removed. Thread-safe; readers keep what they read.
class MemorySpool {
 public:
  using Chunks = std::vector<Secret>;

  // One body being written; nothing of it remains unless commit() succeeded. For one thread at a time; the spool must
  // outlive it.
  class Writer {
   public:
    Writer(MemorySpool& spool, JobId job) : spool_(spool), job_(std::move(job)) {}
    ~Writer() { spool_.release(size_); }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    // Errc::too_large: there is no room left for all such bodies together.
    Result<void> write(std::span<const std::byte> bytes);
    std::string commit();  // gives the name to read it by
    std::uint64_t size() const { return written_; }

   private:
    MemorySpool& spool_;
    JobId job_;
    Chunks chunks_;
    std::uint64_t size_ = 0;  // to be released
    std::uint64_t written_ = 0;
  };

  explicit MemorySpool(std::uint64_t max_total = 64u << 20) : max_total_(max_total) {}

  static bool names(std::string_view name);  // whether a body of this name is one of these
  Result<std::shared_ptr<const Chunks>> read(const JobId& job, const std::string& name) const;
  void remove(const JobId& job, const std::string& name);
  void remove_job(const JobId& job);
  std::uint64_t used() const;

 private:
  Result<void> reserve(std::uint64_t bytes);
  void release(std::uint64_t bytes);

  using Key = std::pair<JobId, std::string>;
  const std::uint64_t max_total_;
  mutable std::mutex mutex_;
  std::map<Key, std::shared_ptr<const Chunks>> bodies_;
  std::uint64_t used_ = 0;
};

}  // namespace sallyport::journal
