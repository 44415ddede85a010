#pragma once

#include "agent/journal/journal.h"
#include "shared/crypto/aead.h"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <random>
#include <string>

namespace sallyport::journal::test {

// A folder of its own that goes away with the test.
class TempDir {
 public:
  TempDir() {
    std::random_device seed;
    path_ = std::filesystem::temp_directory_path() / ("sp-journal-" + std::to_string(seed()) + std::to_string(seed()));
    std::filesystem::create_directories(path_);
    std::filesystem::permissions(path_, std::filesystem::perms::owner_all);
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const char* name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline Secret test_key(char fill = 'k') { return Secret::take(std::string(crypto::kAeadKeySize, fill)); }

inline JournalOptions options_in(const TempDir& dir, char key = 'k') {
  JournalOptions options;
  options.file = dir / "journal.db";
  options.key = test_key(key);
  return options;
}

inline std::unique_ptr<Journal> must_open(JournalOptions options) {
  auto journal = Journal::open(std::move(options));
  INFO((journal ? "" : journal.error().message));
  REQUIRE(journal);
  return *std::move(journal);
}

inline Job make_job(const std::string& id, std::uint64_t epoch = 1) {
  Job job;
  job.id = JobId(id);
  job.epoch = epoch;
  job.recipe = RecipeId("rcp_1");
  job.recipe_version = 3;
  job.accepted_at = from_unix_ms(1'000);
  job.recipe_json = R"({"recipe":"canary-recipe"})";
  job.trigger_json = R"({"order":"canary-trigger"})";
  job.event_key_json = R"("canary-event")";
  return job;
}

inline Intent make_intent(const std::string& path, std::int64_t item = kNoItem, std::uint32_t attempt = 1,
                          std::uint64_t epoch = 1) {
  return {{path, item, attempt}, epoch, "key-" + path, from_unix_ms(2'000), std::nullopt};
}

inline Done make_done(const std::string& path, std::int64_t item = kNoItem, std::uint32_t attempt = 1) {
  return {
      {path, item, attempt}, StepStatus::succeeded, from_unix_ms(3'000), std::nullopt, R"({"output":"canary-output"})"};
}

inline std::string slurp(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace sallyport::journal::test
