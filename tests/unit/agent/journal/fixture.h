#pragma once

#include "agent/journal/journal.h"
#include "shared/crypto/aead.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <string>

namespace sallyport::journal::test {

using sallyport::test::TempDir;

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
