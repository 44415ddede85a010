#include "agent/journal/memory_spool.h"

#include "shared/base/text.h"

#include <catch2/catch.hpp>

#include <optional>

using namespace sallyport;
using namespace sallyport::journal;

namespace {

const JobId kJob("job_1");

std::string text_of(const MemorySpool& spool, const JobId& job, const std::string& name) {
  const auto chunks = spool.read(job, name);
  REQUIRE(chunks);
  std::string text;
  for (const auto& chunk : **chunks) text += chunk.reveal();
  return text;
}

}  // namespace

TEST_CASE("a body in memory is read by the name it got, by its job alone", "[spool][memory]") {
  MemorySpool spool;
  MemorySpool::Writer writer(spool, kJob);
  REQUIRE(writer.write(as_bytes("one ")));
  REQUIRE(writer.write(as_bytes("two")));
  const auto name = writer.commit();
  CHECK(MemorySpool::names(name));
  CHECK_FALSE(MemorySpool::names("0123456789abcdef0123456789abcdef"));
  CHECK(writer.size() == 7);
  CHECK(spool.used() == 7);
  CHECK(text_of(spool, kJob, name) == "one two");
  CHECK(spool.read(JobId("job_2"), name).error().code == Errc::not_found);
}

TEST_CASE("what is not committed, removed or over has no room any more", "[spool][memory]") {
  MemorySpool spool;
  std::optional<MemorySpool::Writer> broken_off(std::in_place, spool, kJob);
  REQUIRE(broken_off->write(as_bytes("abc")));
  CHECK(spool.used() == 3);
  broken_off.reset();
  CHECK(spool.used() == 0);
  std::string last;
  for (const auto* job : {"job_1", "job_2", "job_1"}) {
    MemorySpool::Writer writer(spool, JobId(job));
    REQUIRE(writer.write(as_bytes("abc")));
    last = writer.commit();
  }
  spool.remove(kJob, "memory-none");
  CHECK(spool.used() == 9);
  spool.remove(kJob, last);
  CHECK(spool.used() == 6);
  spool.remove_job(kJob);
  CHECK(spool.used() == 3);
}

TEST_CASE("a body that does not fit into memory is refused in clear words", "[spool][memory]") {
  MemorySpool spool(10);
  MemorySpool::Writer first(spool, kJob), second(spool, kJob);
  REQUIRE(first.write(as_bytes("123456")));
  const auto refused = second.write(as_bytes("12345"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::too_large);
  CHECK(refused.error().message.find("at most 10 bytes") != std::string::npos);
  CHECK(second.write(as_bytes("1234")));
}

TEST_CASE("a reader keeps what it reads when its job ends meanwhile", "[spool][memory]") {
  MemorySpool spool;
  MemorySpool::Writer writer(spool, kJob);
  REQUIRE(writer.write(as_bytes("still here")));
  const auto chunks = spool.read(kJob, writer.commit());
  spool.remove_job(kJob);
  REQUIRE(chunks);
  CHECK((**chunks)[0].reveal() == "still here");
}
