#include "agent/journal/spool.h"

#include "tests/unit/agent/journal/fixture.h"

#include <sys/syscall.h>
#include <unistd.h>

namespace {

std::vector<std::filesystem::path>* synchronised = nullptr;

}  // namespace

// In front of the system's own in this program: keeps what was made durable.
extern "C" int fsync(int fd) {
  if (synchronised != nullptr)
    synchronised->push_back(std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd)));
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

namespace sallyport::journal {
using namespace test;
namespace fs = std::filesystem;

namespace {

const JobId kJob("job_1");

std::unique_ptr<Spool> must_spool(const TempDir& dir, SpoolLimits limits = {}, const std::set<JobId>& alive = {kJob}) {
  auto spool = Spool::open(dir / "spool", test_key(), alive, limits);
  REQUIRE(spool);
  return *std::move(spool);
}

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return text;
}

std::string put(Spool& spool, const std::string& text, std::size_t piece = 10'000) {
  auto writer = spool.create(kJob);
  REQUIRE(writer);
  for (std::size_t at = 0; at < text.size(); at += piece)
    REQUIRE((*writer)->write(as_bytes(std::string_view(text).substr(at, piece))));
  auto name = (*writer)->commit();
  REQUIRE(name);
  return *name;
}

Result<std::string> get(Spool& spool, const std::string& name, std::size_t piece = 4'096) {
  SP_TRY(const auto reader, spool.read(kJob, name));
  std::string text;
  Bytes buffer(piece);
  for (;;) {
    SP_TRY(const std::size_t got, reader->read(buffer));
    if (got == 0) return text;
    text += as_text(std::span(buffer).first(got));
  }
}

fs::path file_of(const TempDir& dir, const std::string& name) { return dir / "spool" / "job_1" / name; }

}  // namespace

TEST_CASE("a spooled body comes back, whatever its size", "[spool]") {
  const TempDir dir;
  auto spool = must_spool(dir);
  const std::size_t size = GENERATE(0u, 1u, 65'535u, 65'536u, 65'537u, 131'072u, 300'001u);
  const std::string text = pattern(size);
  const std::string name = put(*spool, text);
  const auto back = get(*spool, name);
  REQUIRE(back);
  CHECK(*back == text);
  CHECK(get(*spool, name, 1'000'000).value() == text);
}

TEST_CASE("a spool file shows nothing and survives a restart", "[spool][secrecy]") {
  const TempDir dir;
  std::string name;
  {
    auto spool = must_spool(dir);
    name = put(*spool, "canary " + pattern(1'000));
  }
  CHECK(slurp(file_of(dir, name)).find("canary") == std::string::npos);
  auto spool = must_spool(dir);
  CHECK(spool->used() == fs::file_size(file_of(dir, name)));
  CHECK(get(*spool, name)->starts_with("canary"));
}

TEST_CASE("a spool file that was cut, extended, edited or swapped does not open", "[spool][bad-input]") {
  const TempDir dir;
  auto spool = must_spool(dir);
  const std::string name = put(*spool, pattern(200'000));
  const std::string whole = slurp(file_of(dir, name));
  const std::size_t chunk = 65'536 + 29;
  std::string changed = whole;
  SECTION("cut at a chunk's end") { changed = whole.substr(0, 2 * chunk); }
  SECTION("cut inside a chunk") { changed = whole.substr(0, whole.size() - 1); }
  SECTION("empty") { changed.clear(); }
  SECTION("extended") { changed += "x"; }
  SECTION("one bit") { changed[chunk + 100] = static_cast<char>(changed[chunk + 100] ^ 1); }
  SECTION("chunks swapped") { changed = whole.substr(chunk, chunk) + whole.substr(0, chunk) + whole.substr(2 * chunk); }
  SECTION("a chunk repeated") { changed = whole.substr(0, chunk) + whole; }
  std::ofstream(file_of(dir, name), std::ios::binary | std::ios::trunc) << changed;
  const auto back = get(*spool, name);
  REQUIRE_FALSE(back);
  CHECK(back.error().code == Errc::invalid);
}

TEST_CASE("a body of one job or name does not open under another", "[spool][secrecy]") {
  const TempDir dir;
  auto spool = must_spool(dir);
  const std::string first = put(*spool, "first"), second = put(*spool, "second");
  fs::copy_file(file_of(dir, first), file_of(dir, second), fs::copy_options::overwrite_existing);
  CHECK_FALSE(get(*spool, second));
  fs::create_directory(dir / "spool" / "job_2");
  fs::copy_file(file_of(dir, first), dir / "spool" / "job_2" / first);
  auto other = spool->read(JobId("job_2"), first);
  REQUIRE(other);
  Bytes buffer(10);
  CHECK_FALSE((*other)->read(buffer));
}

TEST_CASE("names that could leave the spool are refused", "[spool][bad-input]") {
  const TempDir dir;
  auto spool = must_spool(dir);
  const std::string bad = GENERATE(as<std::string>{}, "", "..", "a/b", "../key", "a.b", std::string("a\0b", 3));
  CHECK_FALSE(spool->read(kJob, bad));
  CHECK_FALSE(spool->read(JobId(bad), "a"));
  CHECK_FALSE(spool->create(JobId(bad)));
  CHECK_FALSE(spool->remove_job(JobId(bad)));
}

TEST_CASE("limits hold, and room comes back", "[spool][bounds]") {
  const TempDir dir;
  auto spool = must_spool(dir, {.max_total = 200'000, .max_body = 150'000});
  auto writer = spool->create(kJob);
  REQUIRE(writer);
  REQUIRE((*writer)->write(as_bytes(pattern(150'000))));
  const auto over = (*writer)->write(as_bytes("x"));
  REQUIRE_FALSE(over);
  CHECK(over.error().code == Errc::too_large);

  auto second = spool->create(kJob);
  const auto full = (*second)->write(as_bytes(pattern(140'000)));
  REQUIRE_FALSE(full);
  CHECK(full.error().code == Errc::exhausted);
  second->reset();
  writer->reset();
  CHECK(spool->used() == 0);
  CHECK(fs::is_empty(dir / "spool" / "job_1"));
}

TEST_CASE("what belongs to no job any more goes", "[spool]") {
  const TempDir dir;
  std::string name;
  {
    auto spool = must_spool(dir);
    name = put(*spool, "text");
    REQUIRE(spool->create(JobId("job_2")));
    REQUIRE(spool->remove_job(JobId("job_none")));
  }
  {
    auto spool = must_spool(dir, {}, {kJob});
    CHECK_FALSE(fs::exists(dir / "spool" / "job_2"));
    CHECK(get(*spool, name));
    REQUIRE(spool->remove_job(kJob));
    CHECK(spool->used() == 0);
    const auto gone = get(*spool, name);
    REQUIRE_FALSE(gone);
    CHECK(gone.error().code == Errc::not_found);
  }
}

TEST_CASE("one body can be removed before its job ends, and leaves its room", "[spool]") {
  const TempDir dir;
  auto spool = must_spool(dir);
  const std::string kept = put(*spool, "kept"), gone = put(*spool, pattern(200'000));
  const auto before = spool->used();
  REQUIRE(spool->remove(kJob, gone));
  CHECK(spool->used() < before - 200'000);
  CHECK(get(*spool, gone).error().code == Errc::not_found);
  CHECK(get(*spool, kept));
  REQUIRE(spool->remove(kJob, gone));  // nothing there is fine, and counts once
  REQUIRE(spool->remove(kJob, kept));
  CHECK(spool->used() == 0);
  CHECK(spool->remove(kJob, "../job_2").error().code == Errc::invalid);
}

TEST_CASE("a spool that fails does not say where it is", "[spool][privacy]") {
  const TempDir dir;
  const auto spool = must_spool(dir);
  const auto name = put(*spool, "text");
  const auto check = [&](const Error& error, Errc code) {
    INFO(error.message);
    CHECK(error.code == code);
    CHECK(error.message.find((dir / "spool").string()) == std::string::npos);
    CHECK(error.message.find("spool") != std::string::npos);
  };
  fs::remove(dir / "spool" / kJob.value / name);
  check(get(*spool, name).error(), Errc::not_found);
  fs::remove_all(dir / "spool");
  const auto no_folder = spool->create(kJob);
  REQUIRE_FALSE(no_folder);
  check(no_folder.error(), Errc::not_found);
  fs::create_directories(dir / "spool");
  std::ofstream(dir / "spool" / kJob.value) << "no folder";
  const auto no_file = spool->create(kJob);
  REQUIRE_FALSE(no_file);
  check(no_file.error(), Errc::not_found);
}

TEST_CASE("a spooled body is durable with its folder and the entry of its folder", "[spool][power]") {
  const TempDir dir;
  const auto spool = must_spool(dir);
  std::vector<fs::path> durable;
  synchronised = &durable;
  put(*spool, "text");
  synchronised = nullptr;
  const auto has = [&](const fs::path& path) { return std::ranges::find(durable, path) != durable.end(); };
  CHECK(has(dir / "spool" / kJob.value));
  CHECK(has(dir / "spool"));
}

}  // namespace sallyport::journal
