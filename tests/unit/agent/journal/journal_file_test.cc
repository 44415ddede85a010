#include "tests/unit/agent/journal/fixture.h"

#include "agent/journal/database.h"
#include "agent/journal/local_key.h"

namespace sallyport::journal {
using namespace test;
namespace fs = std::filesystem;

namespace {

Error open_error(JournalOptions options) {
  auto journal = Journal::open(std::move(options));
  REQUIRE_FALSE(journal);
  return journal.error();
}

void fill(const TempDir& dir) {
  auto journal = must_open(options_in(dir));
  const JobId id("job_1");
  REQUIRE(
      journal->apply({AcceptJob{make_job("job_1"), {}}, AddDone{id, make_done("a")}, AddReport{id, "canary-report"},
                      RecordEvent{RecipeId("rcp_1"), "canary-key", from_unix_ms(1)}, RequestCancel{id, "canary-reason"},
                      ReplaceAssignments{1, {{RecipeId("rcp_1"), 1, "canary-assigned"}}},
                      SetCursor{RecipeId("rcp_1"), "x", "canary-cursor"}}));
}

std::string everything_on_disk(const TempDir& dir) {
  std::string all;
  for (const auto& entry : fs::directory_iterator(dir.path())) all += slurp(entry.path());
  return all;
}

}  // namespace

TEST_CASE("nobody else may read the journal's files", "[journal][secrecy]") {
  const TempDir dir;
  std::ofstream(dir / "journal.db");  // one of an earlier version, open to all
  fs::permissions(dir / "journal.db", fs::perms::all);
  fill(dir);
  auto journal = must_open(options_in(dir));
  REQUIRE(journal->apply({RecordEvent{RecipeId("rcp_2"), "key", from_unix_ms(1)}}));
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(dir.path())) {
    CAPTURE(entry.path());
    CHECK((entry.status().permissions() & (fs::perms::group_all | fs::perms::others_all)) == fs::perms::none);
    ++files;
  }
  CHECK(files >= 2);  // the database and its log
}

TEST_CASE("no payload is readable on the disk", "[journal][secrecy]") {
  const TempDir dir;
  auto journal = must_open(options_in(dir));
  const JobId id("job_1");
  REQUIRE(
      journal->apply({AcceptJob{make_job("job_1"), {}}, AddDone{id, make_done("a")}, AddReport{id, "canary-report"},
                      RecordEvent{RecipeId("rcp_1"), "canary-key", from_unix_ms(1)}, RequestCancel{id, "canary-reason"},
                      ReplaceAssignments{1, {{RecipeId("rcp_1"), 1, "canary-assigned"}}},
                      SetCursor{RecipeId("rcp_1"), "x", "canary-cursor"}}));
  const std::string while_open = everything_on_disk(dir);
  journal.reset();
  const std::string all = while_open + everything_on_disk(dir);
  CHECK(all.find("job_1") != std::string::npos);  // the scan does look at the right bytes
  CHECK(all.find("canary") == std::string::npos);
}

TEST_CASE("another key opens nothing and says so", "[journal][secrecy]") {
  const TempDir dir;
  fill(dir);
  auto journal = must_open(options_in(dir, 'z'));
  const auto stored = journal->load(JobId("job_1"));
  REQUIRE_FALSE(stored);
  CHECK(stored.error().code == Errc::invalid);
  CHECK(stored.error().message.find("wrong key file") != std::string::npos);
  const auto rows = journal->outbox_after(0, 10, 1'000);
  REQUIRE(rows);
  for (const auto& row : *rows) CHECK_FALSE(row.report);
  CHECK_FALSE(journal->assignments());
}

TEST_CASE("a sealed value does not open in another place", "[journal][secrecy]") {
  const TempDir dir;
  fill(dir);
  {
    auto raw = Database::open(dir / "journal.db", "");
    REQUIRE(raw);
    REQUIRE(raw->script("UPDATE jobs SET recipe_json = trigger_json"));
  }
  auto journal = must_open(options_in(dir));
  CHECK_FALSE(journal->load(JobId("job_1")));
}

TEST_CASE("a second process is kept out", "[journal]") {
  const TempDir dir;
  auto first = must_open(options_in(dir));
  const Error error = open_error(options_in(dir));
  CHECK(error.code == Errc::conflict);
  CHECK(error.message.find("another process") != std::string::npos);
}

TEST_CASE("a file that is no journal is refused and left alone", "[journal][bad-input]") {
  const TempDir dir;
  SECTION("not a database") {
    std::ofstream(dir / "journal.db") << std::string(5'000, 'x');
    CHECK(open_error(options_in(dir)).message.find("damaged") != std::string::npos);
    CHECK(slurp(dir / "journal.db") == std::string(5'000, 'x'));
  }
  SECTION("another program's database") {
    auto raw = Database::open(dir / "journal.db", "");
    REQUIRE(raw->script("CREATE TABLE theirs(x)"));
    raw = fail(Errc::internal, "closed");
    CHECK(open_error(options_in(dir)).message.find("not an agent's journal") != std::string::npos);
  }
  SECTION("a newer agent's") {
    fill(dir);
    auto raw = Database::open(dir / "journal.db", "");
    REQUIRE(raw->script("PRAGMA user_version = 9"));
    raw = fail(Errc::internal, "closed");
    const Error error = open_error(options_in(dir));
    CHECK(error.code == Errc::invalid);
    CHECK(error.message.find("schema 9") != std::string::npos);
  }
  SECTION("a folder that is not there") {
    auto options = options_in(dir);
    options.file = dir / "absent" / "journal.db";
    CHECK(open_error(std::move(options)).message.find("state directory") != std::string::npos);
  }
}

TEST_CASE("a journal keeps its id while it lives, and a new one has another", "[journal]") {
  const TempDir dir, other;
  const auto made = [](const TempDir& in) {
    const auto mark = must_open(options_in(in))->mark();
    REQUIRE(mark);
    return *mark;
  };
  const JournalMark first = made(dir);
  CHECK(first.id != 0);
  CHECK(first.id >> 63 == 0);
  CHECK(first.last_seq == 0);
  CHECK(made(dir) == first);
  CHECK(made(other).id != first.id);
  for (const char* file : {"journal.db", "journal.db-wal"}) fs::remove(dir / file);
  CHECK(made(dir).id != first.id);
}

TEST_CASE("the mark tells the highest seq there ever was, and an old copy less", "[journal]") {
  const TempDir dir;
  const JobId id("job_1");
  JournalMark before;
  {
    auto journal = must_open(options_in(dir));
    REQUIRE(journal->apply({AcceptJob{make_job("job_1"), {}}, AddReport{id, "one"}, AddReport{JobId(), "two"}}));
    before = *journal->mark();
    CHECK(before.last_seq == 2);
  }
  fs::copy_file(dir / "journal.db", dir / "backup.db");
  {
    auto journal = must_open(options_in(dir));
    REQUIRE(journal->apply({AddReport{id, "three"}}));
    REQUIRE(journal->apply({AcknowledgeReports{3}}));
    REQUIRE(journal->apply({AbandonJob{id, from_unix_ms(1)}}));
    CHECK(*journal->mark() == JournalMark{before.id, 3});
  }
  CHECK(*must_open(options_in(dir))->mark() == JournalMark{before.id, 3});
  fs::copy_file(dir / "backup.db", dir / "journal.db", fs::copy_options::overwrite_existing);
  CHECK(*must_open(options_in(dir))->mark() == before);
}

TEST_CASE("a journal of an earlier program gets its id once", "[journal]") {
  const TempDir dir;
  must_open(options_in(dir));
  {
    auto database = Database::open(dir / "journal.db", "");
    REQUIRE(database);
    REQUIRE(database->script("DELETE FROM counters WHERE name = 'journal_id'"));
  }
  const auto given = must_open(options_in(dir))->mark();
  REQUIRE(given);
  CHECK(given->id != 0);
  CHECK(*must_open(options_in(dir))->mark() == *given);
}

TEST_CASE("a damaged journal is noticed at the start", "[journal][bad-input]") {
  const TempDir dir;
  fill(dir);
  const auto size = fs::file_size(dir / "journal.db");
  std::fstream file(dir / "journal.db", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(4'096));
  file << std::string(size - 4'096, '\x5a');
  file.close();
  const Error error = open_error(options_in(dir));
  CHECK(error.code == Errc::invalid);
  CHECK(error.message.find("damaged") != std::string::npos);
}

TEST_CASE("the local key is made once, for its owner only", "[journal][key]") {
  const TempDir dir;
  const auto file = dir / "journal.key";
  const auto made = load_or_create_local_key(file, dir / "journal.db");
  REQUIRE(made);
  CHECK(made->size() == 32);
  CHECK(fs::status(file).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  const auto again = load_or_create_local_key(file, dir / "journal.db");
  REQUIRE(again);
  CHECK(again->reveal() == made->reveal());
  SECTION("gone, with a journal that was sealed with it") {
    std::ofstream(dir / "journal.db") << "rows";
    REQUIRE(load_or_create_local_key(file, dir / "journal.db"));
    fs::remove(file);
    const auto refused = load_or_create_local_key(file, dir / "journal.db");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::not_found);
    for (const char* part : {"is not there", "restore the key from a backup", "move "})
      CHECK(refused.error().message.find(part) != std::string::npos);
    CHECK_FALSE(fs::exists(file));
  }
  SECTION("readable by others") {
    fs::permissions(file, fs::perms::group_read, fs::perm_options::add);
    const auto refused = load_or_create_local_key(file, dir / "journal.db");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::forbidden);
  }
  SECTION("too short, too long") {
    const std::size_t length = GENERATE(0u, 31u, 33u, 5'000u);
    std::ofstream(file, std::ios::trunc | std::ios::binary) << std::string(length, 'x');
    const auto refused = load_or_create_local_key(file, dir / "journal.db");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::invalid);
    CHECK(refused.error().message.find("32 bytes") != std::string::npos);
  }
}

}  // namespace sallyport::journal
