#include "agent/connectors/archive/zip_format.h"
#include "agent/connectors/archive/zlib.h"
#include "tests/contract/connectors/archive/archive_rig.h"
#include "tests/support/memory.h"

#include <fmt/format.h>

using namespace sallyport;
using namespace sallyport::connectors;
using namespace sallyport::connectors::archive;
using test::ArchiveRig;
using test::args;

namespace {

const std::string kText = "id;name\n1;Müller\n" + std::string(3000, '7') + "\n";

// A ZIP, record by record, so that any of them can be wrong.
struct Built {
  std::string body;
  std::vector<ZipEntry> entries;
  std::string before_end;  // between directory and end

  Built& add(std::string name, std::string_view content) {
    auto crc = *Crc32::begin();
    crc.add(as_bytes(content));
    ZipEntry entry{.name = std::move(name), .crc = crc.value(), .packed = content.size(), .size = content.size()};
    entry.offset = body.size();
    body += local_header(entry, Sizes::narrow) + std::string(content) + data_descriptor(entry, Sizes::narrow);
    entries.push_back(std::move(entry));
    return *this;
  }
  std::string directory() const {
    std::string records;
    for (const auto& entry : entries) records += directory_record(entry);
    return records;
  }
  std::string end() const { return end_of_zip({entries.size(), body.size(), directory().size()}); }
  std::string bytes() const { return body + directory() + before_end + end(); }
};

std::string patched(std::string bytes, std::size_t at, std::string_view with) {
  return bytes.replace(at, with.size(), with);
}

// What unpacking everything gives, by name, or the error.
std::string unpacked(ArchiveRig& rig, std::string_view zip, ValueMap options = args({{"pattern", "*"}})) {
  const auto output = rig.run_on("zip.unpack@1", zip, std::move(options));
  if (!output) return output.error().error_class() + ": " + output.error().message;
  std::string all;
  for (const auto& file : output->find("files")->as_list()) {
    all += file.as_handle().attributes.at(Value("entry")).as_string() + "=" +
           rig.agent.bodies.content(file.as_handle()) + ";";
  }
  return all;
}

std::string refusal(ArchiveRig& rig, std::string_view zip) {
  const auto listed = rig.run_on("zip.list@1", zip);
  return listed ? "" : listed.error().error_class() + ": " + listed.error().message;
}

ValueMap item(ArchiveRig& rig, std::string_view name, std::string_view content) {
  return args({{"name", Value(name)}, {"source", Value(rig.agent.bodies.put(content))}});
}

std::string packed(ArchiveRig& rig, const std::vector<std::pair<std::string, std::string>>& files, int level = 6) {
  ValueList entries;
  for (const auto& [name, content] : files) entries.emplace_back(item(rig, name, content));
  const auto output = rig.run("zip.pack@1", args({{"entries", Value(std::move(entries))}, {"level", level}}));
  if (!output) return output.error().error_class() + ": " + output.error().message;
  CHECK(output->find("count")->as_int() == static_cast<std::int64_t>(files.size()));
  return rig.agent.bodies.content(output->find("file")->as_handle());
}

}  // namespace

TEST_CASE("a ZIP of another program is listed and unpacked", "[zip]") {
  ArchiveRig rig;
  rig.put_file("text", kText);
  rig.python(
      "import zipfile\n"
      "text = open('text', 'rb').read()\n"
      "class Pipe:\n"
      "  def __init__(self, path): self.out = open(path, 'wb')\n"
      "  def write(self, data): return self.out.write(data)\n"
      "  def flush(self): self.out.flush()\n"
      "def fill(zip, wide=False):\n"
      "  zip.mkdir('in') if hasattr(zip, 'mkdir') else zip.writestr('in/', '')\n"
      "  zip.writestr('stored.csv', text, zipfile.ZIP_STORED)\n"
      "  with zip.open('in/Gr\\u00fc\\u00dfe.csv', 'w', force_zip64=wide) as out: out.write(text)\n"
      "  zip.writestr('in/empty', '')\n"
      "with zipfile.ZipFile('plain.zip', 'w', zipfile.ZIP_DEFLATED) as zip: fill(zip)\n"
      "with zipfile.ZipFile('wide.zip', 'w', zipfile.ZIP_DEFLATED) as zip: fill(zip, True); zip.comment = b'c' * "
      "65535\n"
      "with zipfile.ZipFile(Pipe('piped.zip'), 'w', zipfile.ZIP_DEFLATED) as zip: fill(zip)\n"
      "with zipfile.ZipFile('empty.zip', 'w') as zip: pass\n"
      "with zipfile.ZipFile('bzip2.zip', 'w', zipfile.ZIP_BZIP2) as zip: fill(zip)\n");
  for (const auto* name : {"plain.zip", "wide.zip", "piped.zip"}) {
    INFO(name);
    const auto zip = rig.file(name);
    CHECK(unpacked(rig, zip) == "stored.csv=" + kText + ";in/Grüße.csv=" + kText + ";in/empty=;");
    CHECK(unpacked(rig, zip, args({{"pattern", "*.csv"}})) == "stored.csv=" + kText + ";in/Grüße.csv=" + kText + ";");
    CHECK(unpacked(rig, zip, args({{"entry", "in/empty"}})) == "in/empty=;");
    CHECK(unpacked(rig, zip, args({{"entry", "in/"}})).starts_with("not_found: "));
    const auto listed = rig.run_on("zip.list@1", zip);
    REQUIRE(listed);
    REQUIRE(listed->find("count")->as_int() == 3);
    const auto& first = listed->find("entries")->as_list().front();
    CHECK(first.find("name")->as_string() == "stored.csv");
    CHECK(first.find("size")->as_int() == static_cast<std::int64_t>(kText.size()));
    CHECK(first.find("packed")->as_int() == static_cast<std::int64_t>(kText.size()));
    CHECK_FALSE(first.find("encrypted")->as_bool());
  }
  CHECK(unpacked(rig, rig.file("empty.zip")).empty());
  CHECK(unpacked(rig, rig.file("bzip2.zip"), args({{"entry", "in/Grüße.csv"}}))
            .starts_with("format: an entry is packed by a method"));
}

TEST_CASE("another program unpacks our ZIP, and the same bodies make the same bytes", "[zip]") {
  ArchiveRig rig;
  const std::vector<std::pair<std::string, std::string>> files{{"a.csv", kText}, {"in/Grüße.csv", "x"}, {"none", ""}};
  rig.put_file("text", kText);
  for (const int level : {0, 1, 9}) {
    INFO("level " << level);
    const auto zip = packed(rig, files, level);
    CHECK(zip == packed(rig, files, level));
    CHECK((zip.size() > kText.size()) == (level == 0));
    rig.put_file("ours.zip", zip);
    rig.python(
        "import zipfile\n"
        "with zipfile.ZipFile('ours.zip') as zip:\n"
        "  assert zip.testzip() is None\n"
        "  assert zip.namelist() == ['a.csv', 'in/Gr\\u00fc\\u00dfe.csv', 'none'], zip.namelist()\n"
        "  assert zip.read('a.csv') == open('text', 'rb').read()\n"
        "  assert zip.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)\n");
    CHECK(unpacked(rig, zip) == "a.csv=" + kText + ";in/Grüße.csv=x;none=;");
  }
  CHECK(unpacked(rig, packed(rig, {})).empty());
}

TEST_CASE("names of a ZIP to be are checked as those of a foreign one", "[zip]") {
  ArchiveRig rig;
  for (const std::string name : {"", "/etc/passwd", "../x", "a/../x", "a//b", "./a", "a\\b", "C:x", "a/", "a\nb"}) {
    INFO(name);
    CHECK(packed(rig, {{"good", "1"}, {name, "2"}}).starts_with("invalid: entry 2 has "));
  }
  CHECK(packed(rig, {{"a", "1"}, {"a", "2"}}).starts_with("invalid: entry 2 has the name of another one"));
  CHECK(packed(rig, {{"...", "1"}, {"a..b", "2"}, {"..a/b", "3"}}).starts_with("PK"));
}

TEST_CASE("a ZIP whose names leave its folder, are links or stand twice is refused", "[zip][hostile]") {
  ArchiveRig rig;
  CHECK(unpacked(rig, Built().add("a", "1").add("b/c", "2").bytes()) == "a=1;b/c=2;");
  for (const std::string name : {"../c4n4ry", "/c4n4ry", "a/../../c4n4ry", "c4n4ry\\x", "C:c4n4ry", "./c4n4ry",
                                 "a//c4n4ry", "c4n4ry\x01", "c4n4ry\xFF"}) {
    INFO(name);
    const auto why = refusal(rig, Built().add("a", "1").add(name, "2").bytes());
    CHECK(why.starts_with("format: the ZIP is refused: entry 2 has a name "));
    CHECK_FALSE(why.contains("c4n4ry"));
  }
  CHECK(refusal(rig, Built().add("a", "1").add(std::string("a\0b", 3), "2").bytes()).contains("control character"));
  CHECK(refusal(rig, Built().add(std::string(2000, 'n'), "1").bytes()).contains("more than 1024 bytes"));
  CHECK(refusal(rig, Built().add("a", "1").add("a", "2").bytes()).contains("entry 2 has the name of another one"));
  CHECK(refusal(rig, Built().add("a", "1").add("a/", "").bytes()).contains("has the name of another one"));

  const auto link = Built().add("a", "/etc/passwd");
  const auto made_by = link.body.size() + 5, attributes = link.body.size() + 38;
  const auto unix_entry = patched(link.bytes(), made_by, "\x03");
  CHECK(refusal(rig, patched(unix_entry, attributes + 2, "\xA4\x81")).empty());  // a regular file
  CHECK(refusal(rig, patched(unix_entry, attributes + 2, "\xFF\xA1")).contains("entry 1 is a symbolic link"));
  CHECK(refusal(rig, patched(unix_entry, attributes + 2, "\xFF\x61")).contains("neither a file nor a folder"));
}

TEST_CASE("entries over each other are refused", "[zip][hostile]") {
  ArchiveRig rig;
  auto twice = Built().add("a", "content");
  twice.entries.push_back(twice.entries[0]);
  twice.entries[1].name = "b";
  CHECK(refusal(rig, twice.bytes()).contains("lies over another one"));

  auto long_one = Built().add("a", "content").add("b", "content");
  long_one.entries[0].packed = long_one.entries[0].size = 40;
  CHECK(refusal(rig, long_one.bytes()).contains("entry 1 lies over another one"));
  // So little that only the local header shows it: its extra field takes the room.
  auto beyond = Built().add("a", "content");
  beyond.entries[0].packed = beyond.entries[0].size = 7 + 16 + 1;
  CHECK(refusal(rig, beyond.bytes()).contains("lies over another one"));
  auto padded = Built().add("a", "content");
  padded.body[28] = 17;
  CHECK(unpacked(rig, padded.bytes()).contains("lies over another one"));
}

TEST_CASE("two ends, bytes that belong to nothing and cut archives are refused", "[zip][hostile]") {
  ArchiveRig rig;
  const auto good = Built().add("a", "content");
  auto two_ends = good.bytes();
  two_ends[two_ends.size() - 2] = 22;
  two_ends += end_of_zip({0, 0, 0});
  CHECK(refusal(rig, two_ends).contains("it has two ends"));
  auto gap = good;
  gap.before_end = "x";
  CHECK(refusal(rig, gap.bytes()).contains("bytes belong to no entry"));
  CHECK(refusal(rig, "stub" + good.bytes()).contains("bytes belong to no entry"));
  for (std::size_t cut = 0; cut < good.bytes().size(); ++cut) {
    CHECK(refusal(rig, good.bytes().substr(0, cut)).starts_with("format: "));
  }
  CHECK(refusal(rig, good.body + good.directory() + end_of_zip({2, good.body.size(), good.directory().size()}))
            .contains("fewer entries than it says"));
  CHECK(refusal(rig, good.body + good.directory() + end_of_zip({0, good.body.size(), good.directory().size()}))
            .contains("more entries than it says"));
  CHECK(refusal(rig, good.body + good.directory() + end_of_zip({70'000, good.body.size(), good.directory().size()}))
            .starts_with("too_large: the ZIP has more than 65536 entries"));
  const auto parts = patched(good.bytes(), good.bytes().size() - 18, "\x01");
  CHECK(refusal(rig, parts).contains("one part of several"));
}

TEST_CASE("content that is not what the directory says is refused", "[zip][hostile]") {
  ArchiveRig rig;
  const auto good = Built().add("a", "content");
  CHECK(unpacked(rig, patched(good.bytes(), 31, "C")).contains("its CRC is wrong"));
  CHECK(unpacked(rig, patched(good.bytes(), 30, "b")).contains("contradict each other"));
  CHECK(unpacked(rig, patched(good.bytes(), 0, "X")).contains("not where it should be"));
  CHECK(unpacked(rig, patched(good.bytes(), 8, "\x08")).contains("contradict each other"));
  auto shorter = good;
  shorter.entries[0].size = 6;
  CHECK(unpacked(rig, shorter.bytes()).contains("not the size it says"));
  auto longer = good;
  longer.entries[0].size = 8;
  CHECK(unpacked(rig, longer.bytes()).contains("not the size it says"));
  const auto secret = patched(patched(good.bytes(), 6, "\x09"), good.body.size() + 8, "\x09");
  CHECK(unpacked(rig, secret).starts_with("format: an entry is encrypted"));
  const auto listed = rig.run_on("zip.list@1", secret);
  REQUIRE(listed);
  CHECK(listed->find("entries")->as_list().front().find("encrypted")->as_bool());
}

TEST_CASE("a bomb in a ZIP goes off at its ratio, and many entries at the output's limit", "[zip][hostile]") {
  ArchiveRig rig;
  const auto bomb = packed(rig, {{"bomb", std::string(4u << 20, '\0')}});
  CHECK(unpacked(rig, bomb).starts_with("too_large: more than 200 bytes come out"));
  CHECK(unpacked(rig, bomb, args({{"entry", "bomb"}, {"max_ratio", 100'000}})).size() > 4u << 20);
  Built many;
  for (int i = 0; i < 1'001; ++i) many.add(fmt::format("f{}", i), "");
  CHECK(unpacked(rig, many.bytes()).starts_with("too_large: more than 1000 entries"));
  CHECK(refusal(rig, many.bytes()).starts_with("too_large: more than 1000 entries"));
  CHECK(unpacked(rig, many.bytes(), args({{"entry", "f1000"}})) == "f1000=;");
}

TEST_CASE("a ZIP over 4 GiB has wide records", "[zip]") {
  const ZipEntry entry{.name = "big", .crc = 1, .packed = 5ULL << 30, .size = 6ULL << 30, .offset = 7ULL << 30};
  const auto record = directory_record(entry);
  const ZipDirectory directory{1, 13ULL << 30, record.size()};
  const auto end = end_of_zip(directory);
  const auto tail = record + end;
  const auto read = parse_zip_end(as_bytes(tail), directory.offset);
  REQUIRE(read);
  CHECK(read->offset == directory.offset);
  const auto entries = parse_zip_directory(as_bytes(record), *read);
  REQUIRE(entries);
  CHECK((*entries)[0].packed == entry.packed);
  CHECK((*entries)[0].size == entry.size);
  CHECK((*entries)[0].offset == entry.offset);
  for (std::size_t at = 0; at < 76; ++at) {  // every byte of the wide end and its locator counts, but the versions
    auto damaged = tail;
    damaged[record.size() + at] = static_cast<char>(damaged[record.size() + at] ^ 0x40);
    INFO("byte " << at);
    const auto other = parse_zip_end(as_bytes(damaged), directory.offset);
    CHECK((!other || (at >= 12 && at < 16)));
  }
}

TEST_CASE("ZIPs stream in flat memory", "[zip]") {
  ArchiveRig rig;
  rig.agent.bodies.add(std::make_unique<test::EndlessBodies>());
  const std::int64_t size = std::getenv("SALLYPORT_LARGE_TESTS") != nullptr ? 480 << 20 : 16 << 20;
  REQUIRE(packed(rig, {{"loads", "the library"}}).size() > 20);
  ValueList entries;
  for (const auto* name : {"one", "two"})
    entries.emplace_back(args({{"name", name}, {"source", Value(test::EndlessBodies::handle(size))}}));
  const test::PeakMemory memory;
  const auto zip = rig.run("zip.pack@1", args({{"entries", Value(std::move(entries))}, {"level", 1}}));
  REQUIRE(zip);
  const auto files = rig.run("zip.unpack@1", args({{"source", *zip->find("file")}, {"pattern", "t*"}}));
  REQUIRE(files);
  REQUIRE(files->find("count")->as_int() == 1);
  CHECK(files->find("files")->as_list()[0].as_handle().attributes.at(Value("size")).as_int() == size);
  CHECK(memory.grown() < 12u << 20);
}
