#include "relay/keys/master_key.h"
#include "relay/keys/master_key_text.h"

#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <fstream>

using namespace sallyport;
using namespace sallyport::keys;

namespace {

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("sallyport-keys-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

void write_private(const std::filesystem::path& file, std::string_view text) {
  std::ofstream(file) << text;
  ::chmod(file.c_str(), 0600);
}

}  // namespace

TEST_CASE("a key file is made once, private, and reads back", "[keys][file]") {
  Folder folder;
  const MasterKey key = new_master_key();
  REQUIRE(write_key_file(folder / "master.key", key));
  struct stat status{};
  REQUIRE(::stat((folder / "master.key").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  auto read = read_key_file(folder / "master.key");
  REQUIRE(read);
  CHECK(read->key.reveal() == key.key.reveal());
  CHECK(read->id == key.id);

  auto again = write_key_file(folder / "master.key", new_master_key());
  REQUIRE(!again);
  CHECK(again.error().code == Errc::conflict);
  CHECK(read_key_file(folder / "master.key")->id == key.id);
}

TEST_CASE("a key that others could read is refused with the command that mends it", "[keys][file]") {
  Folder folder;
  const auto file = folder / "master.key";
  REQUIRE(write_key_file(file, new_master_key()));
  for (int mode : {0640, 0604, 0660, 0644, 0666, 0610, 0601, 0777}) {
    INFO("mode " << std::oct << mode);
    REQUIRE(::chmod(file.c_str(), static_cast<mode_t>(mode)) == 0);
    auto read = read_key_file(file);
    REQUIRE(!read);
    CHECK(read.error().code == Errc::invalid);
    CHECK(read.error().message.find("run: chmod 600 " + file.string()) != std::string::npos);
  }
  for (int mode : {0600, 0400}) {
    REQUIRE(::chmod(file.c_str(), static_cast<mode_t>(mode)) == 0);
    CHECK(read_key_file(file));
  }
}

TEST_CASE("what is not a key file is refused", "[keys][file]") {
  Folder folder;
  auto absent = read_key_file(folder / "absent");
  REQUIRE(!absent);
  CHECK(absent.error().code == Errc::not_found);

  REQUIRE(write_key_file(folder / "real", new_master_key()));
  std::filesystem::create_symlink(folder / "real", folder / "link");
  CHECK(!read_key_file(folder / "link"));
  CHECK(!read_key_file(folder / ""));
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  auto pipe = read_key_file(folder / "pipe");
  REQUIRE(!pipe);
  CHECK(pipe.error().message.find("regular file") != std::string::npos);
  CHECK(write_key_file(folder / "no/such", new_master_key()).error().code == Errc::unavailable);
}

TEST_CASE("damaged key files are refused without showing them", "[keys][file]") {
  Folder folder;
  const std::string good(format_key_file(new_master_key()).reveal());
  std::vector<std::string> bad = {"", "\n", good + "\n", good + good, "x" + good, std::string(5000, 'A')};
  for (std::size_t size = 0; size < good.size(); ++size) bad.push_back(good.substr(0, size));
  for (const std::string& text : bad) {
    INFO(text.size() << " bytes");
    write_private(folder / "damaged", text);
    auto read = read_key_file(folder / "damaged");
    REQUIRE(!read);
    CHECK(read.error().code == Errc::invalid);
    CHECK(read.error().message.find("damaged: ") != std::string::npos);
    if (text.size() > 40) CHECK(read.error().message.find(text.substr(23, 16)) == std::string::npos);
  }
  write_private(folder / "damaged", good);
  CHECK(read_key_file(folder / "damaged"));
}

TEST_CASE("keys are random, and their ids follow from them", "[keys]") {
  const MasterKey a = new_master_key(), b = new_master_key();
  CHECK(a.key.reveal() != b.key.reveal());
  CHECK(a.id != b.id);
  CHECK(parse_key_file(format_key_file(a))->id == a.id);
}
