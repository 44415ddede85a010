#include "tests/contract/connectors/archive/archive_rig.h"
#include "tests/support/memory.h"

#include <fmt/format.h>

using namespace sallyport;
using namespace sallyport::connectors;
using test::ArchiveRig;
using test::args;

namespace {

const std::string kText = "Täglich grüßt das Murmeltier. " + std::string(5000, 'x') + "\n";
constexpr const char* kPacked[] = {"gzip", "zstd"};

std::string action(std::string_view kind, std::string_view verb) { return fmt::format("{}.{}@1", kind, verb); }

}  // namespace

TEST_CASE("what was packed unpacks to the same bytes, at every level", "[archive]") {
  ArchiveRig rig;
  for (const auto* kind : kPacked) {
    for (const auto& text : {std::string(), std::string("a"), kText}) {
      for (int level = 1; level <= 9; ++level) {
        INFO(kind << " " << level << ", " << text.size() << " bytes");
        const auto packed = rig.made(action(kind, "pack"), text, args({{"level", level}}));
        CHECK(packed.size() < text.size() / 2 + 64);
        CHECK(rig.made(action(kind, "unpack"), packed) == text);
      }
    }
  }
}

TEST_CASE("gzip agrees with another implementation", "[archive]") {
  ArchiveRig rig;
  rig.put_file("ours.gz", rig.made("gzip.pack@1", kText));
  rig.put_file("text", kText);
  rig.python(
      "import gzip\n"
      "text = open('text', 'rb').read()\n"
      "assert gzip.open('ours.gz').read() == text\n"
      "members = gzip.compress(text[:7]) + gzip.compress(b'') + gzip.compress(text[7:])\n"
      "open('members.gz', 'wb').write(members)\n"
      "with gzip.GzipFile('named.gz', 'wb') as named: named.write(text)\n");
  CHECK(rig.made("gzip.unpack@1", rig.file("members.gz")) == kText);
  CHECK(rig.made("gzip.unpack@1", rig.file("named.gz")) == kText);
}

TEST_CASE("several frames of Zstandard make one body", "[archive]") {
  ArchiveRig rig;
  // As the program zstd packs "hello\n".
  const std::string hello("\x28\xB5\x2F\xFD\x04\x58\x31\x00\x00hello\n\x53\x88\xBD\x91", 19);
  const auto ours = rig.made("zstd.pack@1", "world\n");
  CHECK(rig.made("zstd.unpack@1", hello + ours) == "hello\nworld\n");
  CHECK(rig.made("zstd.unpack@1", ours + ours) == "world\nworld\n");
  const std::string skipped("\x50\x2A\x4D\x18\x03\x00\x00\x00xyz", 11);
  CHECK(rig.made("zstd.unpack@1", skipped + ours + skipped) == "world\n");
}

TEST_CASE("what is cut or damaged is no whole body", "[archive]") {
  ArchiveRig rig;
  for (const auto* kind : kPacked) {
    const auto packed = rig.made(action(kind, "pack"), "a text of some length, which is packed");
    REQUIRE(rig.made(action(kind, "unpack"), packed).starts_with("a text"));
    for (std::size_t cut = 0; cut < packed.size(); ++cut) {
      INFO(kind << ", cut after " << cut);
      CHECK(rig.made(action(kind, "unpack"), packed.substr(0, cut)).starts_with("format: the packed bytes end in"));
      CHECK(rig.made(action(kind, "unpack"), packed + packed.substr(0, cut))
                .starts_with(cut == 0 ? "a text" : "format: "));
    }
    for (const auto at : {std::size_t{0}, packed.size() / 2, packed.size() - 1}) {
      auto damaged = packed;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
      CHECK(rig.made(action(kind, "unpack"), damaged).starts_with("format: "));
    }
    CHECK(rig.made(action(kind, "unpack"), packed + "c4n4ry").starts_with("format: "));
    CHECK_FALSE(rig.made(action(kind, "unpack"), "c4n4ry-c4n4ry").contains("c4n4ry"));
  }
}

TEST_CASE("a bomb goes off at its ratio, or at the policy's limit", "[archive]") {
  ArchiveRig rig;
  const std::string zeros(4u << 20, '\0');
  for (const auto* kind : kPacked) {
    INFO(kind);
    const auto bomb = rig.made(action(kind, "pack"), zeros);
    CHECK(rig.made(action(kind, "unpack"), bomb).starts_with("too_large: more than 200 bytes come out"));
    CHECK(rig.made(action(kind, "unpack"), bomb, args({{"max_ratio", 100'000}})).size() == zeros.size());
    const auto small = rig.made(action(kind, "pack"), zeros.substr(0, 1u << 20));
    CHECK(rig.made(action(kind, "unpack"), small).size() == 1u << 20);
  }
}

TEST_CASE("a Zstandard window that would need much memory is refused", "[archive]") {
  ArchiveRig rig;
  const auto frame = [](char window) {
    return std::string("\x28\xB5\x2F\xFD\x00", 5) + window + std::string("\x01\x00\x00", 3);
  };
  CHECK(rig.made("zstd.unpack@1", frame(13 << 3)).empty());  // 8 MiB
  CHECK(rig.made("zstd.unpack@1", frame(14 << 3)).starts_with("too_large: this was packed with a window over 8 MiB"));
}

TEST_CASE("packing and unpacking end with the step, and leave nothing in the spool", "[archive]") {
  ArchiveRig rig;
  rig.agent.bodies.add(std::make_unique<test::EndlessBodies>());
  const auto endless = args({{"source", Value(test::EndlessBodies::handle(INT64_MAX))}});
  for (const auto* kind : kPacked) {
    rig.agent.patience = std::chrono::milliseconds(50);
    CHECK(rig.run(action(kind, "pack"), endless).error().error_class() == "timeout");
    rig.agent.patience = std::chrono::seconds(30);
    rig.agent.bodies.fail_writes_after = 100'000;
    CHECK(rig.run(action(kind, "pack"), endless).error().error_class() == "disk_full");
    rig.agent.bodies.fail_writes_after = SIZE_MAX;
  }
  // Many members without content: nothing comes out, and the stop is heard all the same.
  std::string members;
  const auto empty = rig.made("gzip.pack@1", "");
  for (int i = 0; i < 20'000; ++i) members += empty;
  const auto source = rig.agent.bodies.put(members);
  rig.agent.stop.request_stop();
  CHECK(rig.run("gzip.unpack@1", args({{"source", Value(source)}})).error().error_class() == "cancelled");
}

TEST_CASE("a large body is packed and unpacked in flat memory", "[archive]") {
  ArchiveRig rig;
  rig.agent.bodies.add(std::make_unique<test::EndlessBodies>());
  const auto* gigabyte = std::getenv("SALLYPORT_LARGE_TESTS");
  const std::int64_t size = gigabyte != nullptr ? (1 << 30) - 1 : 24 << 20;
  for (const auto* kind : kPacked) {
    INFO(kind);
    REQUIRE(rig.made(action(kind, "pack"), "loads the library").size() > 8);
    const test::PeakMemory memory;
    const auto packed =
        rig.run(action(kind, "pack"), args({{"source", Value(test::EndlessBodies::handle(size))}, {"level", 1}}));
    REQUIRE(packed);
    const auto plain = rig.run(action(kind, "unpack"), args({{"source", *packed->find("file")}}));
    REQUIRE(plain);
    CHECK(plain->find("file")->as_handle().attributes.at(Value("size")).as_int() == size);
    CHECK(memory.grown() < 12u << 20);
  }
}
