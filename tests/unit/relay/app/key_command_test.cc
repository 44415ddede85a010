#include "relay/app/key_command.h"

#include "relay/app/key_restore.h"
#include "relay/app/key_ring.h"
#include "relay/keys/hierarchy.h"
#include "relay/keys/master_key.h"
#include "relay/keys/private_file.h"
#include "tests/support/async_test.h"
#include "tests/support/pki.h"
#include "tests/unit/relay/app/made_relay.h"

#include <fmt/format.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <fstream>

using namespace sallyport;
using namespace sallyport::app;
using namespace sallyport::test;
namespace fs = std::filesystem;

namespace {

// A relay that does not run, whose keys' place changes.
struct Site {
  Site() : data(made_relay(folder).data), plain(text_of(data.settings())) {}

  void keep_keys(const std::string& place) const {
    std::ofstream(data.settings()) << plain << "keys:\n  " << place << "\n";
  }
  // relay.yaml as it is, kept as that of before a move.
  fs::path before(std::string_view name) const {
    fs::copy_file(data.settings(), folder / name);
    return folder / name;
  }
  std::string secret(std::string_view name, std::string_view text) const {
    const auto file = folder / name;
    fs::remove(file);
    must(keys::write_new_private_file(file, as_bytes(text)));
    return file.string();
  }
  // What the relay says when it asks for its global key.
  std::string trouble() const {
    std::string said;
    run(ask(said));
    return said;
  }

  TempDir folder;
  DataDirectory data;
  std::string plain;

 private:
  static std::string text_of(const fs::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  boost::asio::awaitable<void> ask(std::string& said) const {
    auto ring = open_keys(data, must(load_settings(data.settings())).keys, kClock);
    if (!ring) said = ring.error().message;
    if (!ring) co_return;
    keys::Hierarchy hierarchy(co_await boost::asio::this_coro::executor,
                              {ring->store->keys(), *ring->provider, ring->anchor, *ring->memory, kClock});
    const auto key = co_await hierarchy.global();
    if (!key) said = key.error().message;
  }
};

std::string make_token(const TempDir& folder) {
  fs::create_directory(folder / "tokens");
  const auto config = folder.write("softhsm2.conf", "directories.tokendir = " + folder.path("tokens") +
                                                        "\nobjectstore.backend = file\nlog.level = ERROR\n");
  REQUIRE(::setenv("SOFTHSM2_CONF", config.c_str(), 1) == 0);
  REQUIRE(::system("softhsm2-util --init-token --free --label relay --pin 1234 --so-pin owner-pin >/dev/null") == 0);
  must(keys::write_new_private_file(folder / "pin", as_bytes(std::string_view("1234"))));
  return fmt::format(
      R"(pkcs11: {{module: /usr/lib/softhsm/libsofthsm2.so, token: relay, key: sallyport, pin_file: "{}"}})",
      folder.path("pin"));
}

mode_t mode_of(const fs::path& file) {
  struct stat facts{};
  REQUIRE(::stat(file.c_str(), &facts) == 0);
  return facts.st_mode & 0777;
}

template <class T>
std::string refusal(const Result<T>& result) {
  REQUIRE_FALSE(result);
  return result.error().message;
}

}  // namespace

TEST_CASE("the master key moves from its file to a token and back to a file", "[app][keys]") {
  const Site site;
  const auto filed = site.before("filed.yaml");
  site.keep_keys(make_token(site.folder));
  CHECK_THAT(must(create_key(site.data)), Catch::Contains("token relay"));
  CHECK_THAT(site.trouble(), Catch::Contains("belongs to keys.db") && Catch::Contains("sallyport-relay keys rewrap"));
  must(rewrap_keys(site.data, filed, kClock));
  CHECK(site.trouble().empty());

  CHECK_THAT(refusal(create_key(site.data)), Catch::Contains("sallyport"));  // it is there
  const auto tokened = site.before("tokened.yaml");
  fs::remove(site.data.master_key());
  site.keep_keys("file: {passphrase_file: \"" + site.secret("words", "correct horse\n") + "\"}");
  CHECK_THAT(must(create_key(site.data)), Catch::Contains("under a passphrase"));
  CHECK(mode_of(site.data.master_key()) == 0600);
  CHECK_THAT(site.trouble(), Catch::Contains("was not wrapped by") && Catch::Contains("sallyport-relay keys rewrap"));
  must(rewrap_keys(site.data, tokened, kClock));
  CHECK(site.trouble().empty());
}

TEST_CASE("a key's file is made for an organisation, too, and none is overwritten", "[app][keys]") {
  const TempDir folder;
  const auto file = folder / "acme.key";
  CHECK_THAT(must(create_key_file(file, "")), Catch::Contains(file.string()));
  CHECK(mode_of(file) == 0600);
  const auto key = must(keys::read_key_file(file, std::nullopt));
  CHECK(create_key_file(file, "").error().code == Errc::conflict);
  CHECK(must(keys::read_key_file(file, std::nullopt)).reveal() == key.reveal());
  const auto other = folder / "other.key";
  must(create_key_file(other, ""));
  CHECK(must(keys::read_key_file(other, std::nullopt)).reveal() != key.reveal());
  CHECK_FALSE(create_key_file(folder / "third.key", folder.path("no passphrase")));
  CHECK_FALSE(fs::exists(folder / "third.key"));
}

TEST_CASE("a passphrase is named from / on, and has more in it than blanks", "[app][keys]") {
  const Site site;
  for (const auto* blank : {"  \n", "\t"})
    CHECK_THAT(refusal(protect_key(site.data, site.secret("blank", blank))), Catch::Contains("blanks"));
  const auto words = site.secret("words", "correct horse\n");
  const auto here = fs::current_path();
  fs::current_path(site.folder.path());
  const auto told = protect_key(site.data, "words");
  fs::current_path(here);
  CHECK_THAT(must(told), Catch::Contains("passphrase_file: " + words));
  CHECK_THAT(site.trouble(), Catch::Contains("keys: {file: {passphrase_file: "));
  site.keep_keys("file: {passphrase_file: \"" + words + "\"}");
  CHECK(site.trouble().empty());
}

TEST_CASE("the relay.yaml of before a move is named as what it is when it is not there", "[app][keys]") {
  const Site site;
  const auto said = refusal(rewrap_keys(site.data, site.folder / "nonexistent", kClock));
  CHECK_THAT(said, Catch::Contains("--from") && Catch::Contains("nonexistent") && !Catch::Contains("init"));
}

TEST_CASE("whatever became of keys.db, the way back is named", "[app][keys]") {
  const Site site;
  CHECK(site.trouble().empty());  // positive control
  const auto file = site.data.key_database();
  const auto size = fs::file_size(file);
  fs::resize_file(file, size / 2);
  CHECK_THAT(site.trouble(),
             Catch::Contains("keys.db") && Catch::Contains("damaged") && Catch::Contains("keys restore"));
  std::ofstream(file) << std::string(size, 'x');
  CHECK_THAT(site.trouble(), Catch::Contains("damaged") && Catch::Contains("keys restore"));
  fs::resize_file(file, 0);
  CHECK_THAT(site.trouble(), Catch::Contains("keys.db: the database is empty") && Catch::Contains("keys restore"));
  fs::remove(file);
  CHECK_THAT(site.trouble(), Catch::Contains("keys.db: the database is missing") && Catch::Contains("keys restore"));
}
