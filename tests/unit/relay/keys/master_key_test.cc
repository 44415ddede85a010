#include "relay/keys/master_key.h"
#include "shared/base/text.h"
#include "shared/crypto/aead.h"

#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <optional>

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
  const Secret key = crypto::new_aead_key();
  REQUIRE(write_key_file(folder / "master.key", key, std::nullopt));
  struct stat status{};
  REQUIRE(::stat((folder / "master.key").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  auto read = read_key_file(folder / "master.key", std::nullopt);
  REQUIRE(read);
  CHECK(read->reveal() == key.reveal());

  auto again = write_key_file(folder / "master.key", crypto::new_aead_key(), std::nullopt);
  REQUIRE(!again);
  CHECK(again.error().code == Errc::conflict);
  CHECK(read_key_file(folder / "master.key", std::nullopt)->reveal() == key.reveal());
}

TEST_CASE("a key that others could read is refused with the command that mends it", "[keys][file]") {
  Folder folder;
  const auto file = folder / "master.key";
  REQUIRE(write_key_file(file, crypto::new_aead_key(), std::nullopt));
  for (int mode : {0640, 0604, 0660, 0644, 0666, 0610, 0601, 0777}) {
    INFO("mode " << std::oct << mode);
    REQUIRE(::chmod(file.c_str(), static_cast<mode_t>(mode)) == 0);
    auto read = read_key_file(file, std::nullopt);
    REQUIRE(!read);
    CHECK(read.error().code == Errc::invalid);
    CHECK(read.error().message.find("run: chmod 600 " + file.string()) != std::string::npos);
  }
  for (int mode : {0600, 0400}) {
    REQUIRE(::chmod(file.c_str(), static_cast<mode_t>(mode)) == 0);
    CHECK(read_key_file(file, std::nullopt));
  }
}

TEST_CASE("what is not a key file is refused", "[keys][file]") {
  Folder folder;
  auto absent = read_key_file(folder / "absent", std::nullopt);
  REQUIRE(!absent);
  CHECK(absent.error().code == Errc::not_found);

  REQUIRE(write_key_file(folder / "real", crypto::new_aead_key(), std::nullopt));
  std::filesystem::create_symlink(folder / "real", folder / "link");
  CHECK(!read_key_file(folder / "link", std::nullopt));
  CHECK(!read_key_file(folder / "", std::nullopt));
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  auto pipe = read_key_file(folder / "pipe", std::nullopt);
  REQUIRE(!pipe);
  CHECK(pipe.error().message.find("regular file") != std::string::npos);
  CHECK(write_key_file(folder / "no/such", crypto::new_aead_key(), std::nullopt).error().code == Errc::unavailable);
}

TEST_CASE("damaged key files are refused without showing them", "[keys][file]") {
  Folder folder;
  REQUIRE(write_key_file(folder / "good", crypto::new_aead_key(), std::nullopt));
  std::ifstream in(folder / "good");
  const std::string good{std::istreambuf_iterator<char>(in), {}};
  std::vector<std::string> bad = {"", "\n", good + "\n", good + good, "x" + good, std::string(5000, 'A')};
  for (std::size_t size = 0; size < good.size(); ++size) bad.push_back(good.substr(0, size));
  for (const std::string& text : bad) {
    INFO(text.size() << " bytes");
    write_private(folder / "damaged", text);
    auto read = read_key_file(folder / "damaged", std::nullopt);
    REQUIRE(!read);
    CHECK(read.error().code == Errc::invalid);
    CHECK(read.error().message.find("damaged: ") != std::string::npos);
    if (text.size() > 40) CHECK(read.error().message.find(text.substr(23, 16)) == std::string::npos);
  }
  write_private(folder / "damaged", good);
  CHECK(read_key_file(folder / "damaged", std::nullopt));
}

TEST_CASE("a key with a passphrase opens with it, and with nothing else", "[keys][file]") {
  Folder folder;
  const auto file = folder / "sealed.key";
  const auto passphrase = [](std::string text) { return std::optional(Secret::take(text)); };
  const Secret key = crypto::new_aead_key();
  REQUIRE(write_key_file(file, key, passphrase("correct horse")));
  std::ifstream in(file);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  CHECK(text.find(base64url(as_bytes(key.reveal()))) == std::string::npos);

  const auto opened = read_key_file(file, passphrase("correct horse"));
  REQUIRE(opened);
  CHECK(opened->reveal() == key.reveal());
  for (auto& wrong : {passphrase("correct horsf"), passphrase(""), std::optional<Secret>()}) {
    const auto refused = read_key_file(file, wrong);
    REQUIRE(!refused);
    CHECK(refused.error().code == Errc::forbidden);
    CHECK(refused.error().message.find("horse") == std::string::npos);
  }
  auto damaged = text;
  damaged[damaged.size() / 2] = damaged[damaged.size() / 2] == 'A' ? 'B' : 'A';
  write_private(folder / "damaged", damaged);
  CHECK(read_key_file(folder / "damaged", passphrase("correct horse")).error().code == Errc::forbidden);
}
