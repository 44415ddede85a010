#pragma once

#include "shared/base/ids.h"
#include "shared/base/result.h"
#include "shared/base/secret.h"

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <set>
#include <span>
#include <string>

namespace sallyport::journal {

class SpoolWriter;
class SpoolReader;

struct SpoolLimits {
  std::uint64_t max_total = 4ull << 30;  // bytes on disk of all jobs together
  std::uint64_t max_body = 4ull << 30;
};

// Bodies a job keeps outside of memory: files under DIR/<job>/, sealed in chunks of 64 KiB with a key of their own,
// each chunk bound to its job, file, place and to whether it is the last, so that a cut, swapped or edited file is
// noticed. Thread-safe; its writers and readers are for one thread at a time and block. The Spool must outlive them.
// Errors: exhausted (over max_total, or the disk is full), too_large (over max_body), not_found, invalid (damaged).
class Spool {
 public:
  // Makes the folder (0700) if needed and removes what belongs to no job in `alive`.
  static Result<std::unique_ptr<Spool>> open(std::filesystem::path dir, Secret key, const std::set<JobId>& alive,
                                             SpoolLimits limits = {});

  Result<std::unique_ptr<SpoolWriter>> create(const JobId& job);
  Result<std::unique_ptr<SpoolReader>> read(const JobId& job, const std::string& name);
  Result<void> remove(const JobId& job, const std::string& name);  // nothing there is fine
  Result<void> remove_job(const JobId& job);                       // the same
  std::uint64_t used() const { return used_.load(); }

 private:
  friend class SpoolWriter;
  friend class SpoolReader;
  Spool(std::filesystem::path dir, Secret key, SpoolLimits limits);
  Result<void> remove_orphans(const std::set<JobId>& alive);
  Result<void> reserve(std::uint64_t bytes);
  void release(std::uint64_t bytes) { used_ -= bytes; }

  std::filesystem::path dir_;
  Secret key_;
  SpoolLimits limits_;
  std::atomic<std::uint64_t> used_{0};
};

// A body under construction; nothing of it remains unless commit() succeeded.
class SpoolWriter {
 public:
  ~SpoolWriter();
  Result<void> write(std::span<const std::byte> bytes);
  Result<std::string> commit();  // synchronised; gives the name to read it by
  std::uint64_t size() const;    // plain bytes so far

 private:
  friend class Spool;
  struct Impl;
  explicit SpoolWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

class SpoolReader {
 public:
  ~SpoolReader();
  Result<std::size_t> read(std::span<std::byte> into);  // 0 = the end

 private:
  friend class Spool;
  struct Impl;
  explicit SpoolReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sallyport::journal
