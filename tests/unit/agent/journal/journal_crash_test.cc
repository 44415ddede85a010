#include "tests/support/failing_vfs.h"
#include "tests/unit/agent/journal/fixture.h"

namespace sallyport::journal {
using namespace test;
using sallyport::test::FailingVfs;

namespace {

JournalOptions failing_options(const TempDir& dir, const FailingVfs& vfs) {
  auto options = options_in(dir);
  options.vfs = vfs.name();
  return options;
}

// A job's life as the runner writes it: each batch one state change with its report.
std::vector<Batch> life(const std::string& name) {
  const JobId id(name);
  return {{AcceptJob{make_job(name), {}}, AddReport{id, "started"}},
          {AddIntent{id, make_intent("a")}, AddReport{id, "a started"}},
          {AddDone{id, make_done("a")}, AddReport{id, "a done"}},
          {AddIntent{id, make_intent("b")}, AddReport{id, "b started"}},
          {AddDone{id, make_done("b")}, EndJob{id, from_unix_ms(9)}, AddReport{id, "finished"}}};
}

// How many batches of `life` are in the file.
std::size_t stage_of(Journal& journal, const JobId& id) {
  const auto found = journal.find(id);
  REQUIRE(found);
  if (!*found) return 0;
  if ((*found)->state == JobState::finished) return 5;
  const auto stored = journal.load(id);
  REQUIRE(stored);
  return 1 + stored->intents.size() + stored->done.size();
}

}  // namespace

TEST_CASE("a crash at any disk operation loses no acknowledged batch and tears none", "[journal][crash]") {
  FailingVfs vfs;
  bool reached_the_end = false;
  for (std::uint64_t operation = 1; !reached_the_end; ++operation) {
    INFO("crash at operation " << operation);
    REQUIRE(operation < 500);
    const TempDir dir;
    std::size_t acknowledged = 0;
    {
      auto journal = must_open(failing_options(dir, vfs));
      vfs.fail_at(operation, FailingVfs::Kind::crash);
      for (const Batch& batch : life("job_1")) {
        if (!journal->apply(batch)) break;
        ++acknowledged;
      }
      reached_the_end = !vfs.has_failed();
    }
    vfs.heal();
    auto journal = must_open(options_in(dir));
    const std::size_t stage = stage_of(*journal, JobId("job_1"));
    CHECK(stage >= acknowledged);
    CHECK(stage <= acknowledged + 1);  // the one under way may have reached the disk
    CHECK(journal->outbox_size().rows == stage);
  }
}

TEST_CASE("a disk that fails once refuses that batch cleanly and works on", "[journal][crash]") {
  FailingVfs vfs;
  const auto kind = GENERATE(FailingVfs::Kind::full_disk, FailingVfs::Kind::io_error);
  bool reached_the_end = false;
  for (std::uint64_t operation = 1; !reached_the_end; ++operation) {
    INFO("failure at operation " << operation);
    REQUIRE(operation < 500);
    const TempDir dir;
    auto journal = must_open(failing_options(dir, vfs));
    vfs.fail_at(operation, kind);
    for (const Batch& batch : life("job_1")) {
      auto applied = journal->apply(batch);
      for (int again = 0; !applied && again < 3; ++again) {
        CHECK((applied.error().code == Errc::exhausted || applied.error().code == Errc::unavailable));
        applied = journal->apply(batch);
      }
      REQUIRE(applied);
    }
    reached_the_end = !vfs.has_failed();
    CHECK(stage_of(*journal, JobId("job_1")) == 5);
    CHECK(journal->outbox_size().rows == 5);
    vfs.heal();
    journal.reset();
    CHECK(stage_of(*must_open(options_in(dir)), JobId("job_1")) == 5);
  }
}

TEST_CASE("a crash while the file is made leaves one that can be opened", "[journal][crash]") {
  FailingVfs vfs;
  bool reached_the_end = false;
  for (std::uint64_t operation = 1; !reached_the_end; ++operation) {
    INFO("crash at operation " << operation);
    REQUIRE(operation < 500);
    const TempDir dir;
    vfs.fail_at(operation, FailingVfs::Kind::crash);
    (void)Journal::open(failing_options(dir, vfs));
    reached_the_end = !vfs.has_failed();
    vfs.heal();
    CHECK(must_open(options_in(dir))->apply({AcceptJob{make_job("job_1"), {}}}));
  }
}

TEST_CASE("the failing disk does fail", "[journal][crash][control]") {
  FailingVfs vfs;
  const TempDir dir;
  auto journal = must_open(failing_options(dir, vfs));
  vfs.fail_at(1, FailingVfs::Kind::full_disk);
  const auto refused = journal->apply({AcceptJob{make_job("job_1"), {}}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::exhausted);
  CHECK(refused.error().message.find("disk is full") != std::string::npos);
}

}  // namespace sallyport::journal
