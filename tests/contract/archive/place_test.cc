#include "tests/contract/archive/any_place.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

using namespace sallyport;
using namespace sallyport::archive;
using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

Bytes bytes_of(std::string_view text) { return Bytes(as_bytes(text).begin(), as_bytes(text).end()); }
const std::string kName = "org_1/2026/01/31/job_1.sallyport";

}  // namespace

ASYNC_TEST_CASE("every place gives back what was put there, and forgets what is removed", "[archive][contract]") {
  Any any;
  INFO(any.place->describe());
  auto none = co_await any.place->get(kName);
  REQUIRE(!none);
  CHECK(none.error().code == Errc::not_found);
  for (const std::string& text : {std::string("first"), std::string("second"), std::string(3'000'000, '\0')}) {
    const auto put = co_await any.place->put(kName, bytes_of(text));
    REQUIRE(put);
    const auto got = co_await any.place->get(kName);
    REQUIRE(got);
    CHECK(*got == bytes_of(text));
  }
  auto removed = co_await any.place->remove(kName);
  CHECK(removed);
  removed = co_await any.place->remove(kName);
  CHECK(removed);
  none = co_await any.place->get(kName);
  REQUIRE(!none);
  CHECK(none.error().code == Errc::not_found);
}

ASYNC_TEST_CASE("a directory is its owner's alone, and holds whole objects only", "[archive][contract]") {
  test::TempDir dir;
  const std::filesystem::path root = dir.path("archive");
  const auto place = place_of(make_directory_place(root));
  const auto put = co_await place->put(kName, bytes_of("x"));
  REQUIRE(put);
  struct stat facts{};
  for (const auto& [path, mode] : {std::pair<std::filesystem::path, mode_t>{root, 0700},
                                   {root / "org_1", 0700},
                                   {root / "org_1/2026/01/31", 0700},
                                   {root / kName, 0600}}) {
    INFO(path.string());
    REQUIRE(::stat(path.c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777) == mode);
  }
  std::ofstream(root / (kName + ".unfinished")) << "what a crash left";
  const auto again = co_await place->put(kName, bytes_of("y"));
  REQUIRE(again);
  CHECK(!std::filesystem::exists(root / (kName + ".unfinished")));
  const auto removed = co_await place->remove(kName);
  REQUIRE(removed);
  CHECK(!std::filesystem::exists(root / "org_1"));  // empty folders go, too
  CHECK(std::filesystem::exists(root));
}

TEST_CASE("a directory that others may read, or that is none, is refused", "[archive][contract]") {
  test::TempDir dir;
  std::filesystem::create_directory(dir.path("open"));
  ::chmod(dir.path("open").c_str(), 0755);
  const auto open = make_directory_place(dir.path("open"));
  REQUIRE(!open);
  CHECK(open.error().message.find("chmod 700") != std::string::npos);
  ::chmod(dir.path("open").c_str(), 0700);
  CHECK(make_directory_place(dir.path("open")));
  CHECK(!make_directory_place(dir.write("file", "x")));
  CHECK(!make_directory_place("relative"));
}

TEST_CASE("a directory with records of years and of organisations is the archive's", "[archive][contract]") {
  test::TempDir dir;
  for (const auto* name : {"2026", "org_1"}) std::filesystem::create_directories(dir.path("archive") + "/" + name);
  ::chmod(dir.path("archive").c_str(), 0755);
  const auto open = make_directory_place(dir.path("archive"));
  REQUIRE(!open);
  CHECK(open.error().message.find("chmod 700") != std::string::npos);
  std::filesystem::create_directory(dir.path("archive") + "/202x");  // control
  CHECK(make_directory_place(dir.path("archive")).error().message.find("chmod") == std::string::npos);
}

ASYNC_TEST_CASE("another directory at the path of an archive is not an empty archive", "[archive][contract]") {
  test::TempDir dir;
  const std::filesystem::path root = dir.path("archive"), away = dir.path("away");
  const auto place = place_of(make_directory_place(root));
  auto put = co_await place->put(kName, bytes_of("x"));
  REQUIRE(put);
  std::filesystem::rename(root, away);
  for (const bool unmounted : {false, true}) {
    INFO(unmounted);
    if (unmounted) std::filesystem::create_directory(root);
    put = co_await place->put(kName, bytes_of("y"));
    const auto got = co_await place->get(kName);
    const auto removed = co_await place->remove(kName);
    REQUIRE((!put && !got && !removed));
    for (const auto& error : {put.error(), got.error(), removed.error()}) {
      CHECK(error.code == Errc::unavailable);
      CHECK(error.message.find("is it mounted?") != std::string::npos);
    }
  }
  CHECK(std::filesystem::is_empty(root));
  std::filesystem::remove(root);
  std::filesystem::rename(away, root);
  CHECK(co_await place->get(kName));  // it is back
  CHECK(co_await place->remove(kName));
}

TEST_CASE("nobody is told to change the mode of a directory that is not the archive's alone", "[archive][contract]") {
  test::TempDir dir;
  std::filesystem::create_directory(dir.path("home"));
  std::ofstream(dir.path("home") + "/letter") << "x";
  std::filesystem::create_directory(dir.path("shared"));
  ::chmod(dir.path("home").c_str(), 0755);
  ::chmod(dir.path("shared").c_str(), 01777);
  for (const auto& place : {std::string("/tmp"), std::string("/"), dir.path("home"), dir.path("shared")}) {
    INFO(place);
    const auto refused = make_directory_place(place);
    REQUIRE(!refused);
    CHECK(refused.error().message.find("name a directory of its own") != std::string::npos);
    CHECK(refused.error().message.find("chmod") == std::string::npos);
  }
}

ASYNC_TEST_CASE("what a bucket refuses is told with its code and no secret", "[archive][contract][s3]") {
  test::KeyServer server("s3_server.py");
  const auto place = place_of(make_s3_place(config_of(server), kClock));
  struct Case {
    const char* mode;
    const char* code;
    Errc errc;
  };
  for (const Case& one :
       {Case{"revoked", "InvalidAccessKeyId", Errc::forbidden}, Case{"denied", "AccessDenied", Errc::forbidden},
        Case{"no_bucket", "NoSuchBucket", Errc::unavailable}, Case{"slow_down", "SlowDown", Errc::unavailable}}) {
    INFO(one.mode);
    server.control(std::string(R"({"mode":")") + one.mode + "\"}");
    const auto put = co_await place->put(kName, bytes_of("x"));
    REQUIRE(!put);
    CHECK(put.error().code == one.errc);
    CHECK(put.error().message.find(one.code) != std::string::npos);
    CHECK(put.error().message.find("secret-access") == std::string::npos);
  }
  server.heal();
  const auto put = co_await place->put(kName, bytes_of("x"));
  CHECK(put);
}

ASYNC_TEST_CASE("a bucket takes nothing with a wrong signature, and new credentials count at once",
                "[archive][contract][s3]") {
  test::KeyServer server("s3_server.py");
  auto config = config_of(server);
  auto secret = std::make_shared<std::string>("not-the-secret");
  config.credentials = [secret] { return Result<outbound::AwsCredentials>(credentials(*secret)); };
  const auto place = place_of(make_s3_place(std::move(config), kClock));
  auto put = co_await place->put(kName, bytes_of("x"));
  REQUIRE(!put);
  CHECK(put.error().message.find("SignatureDoesNotMatch") != std::string::npos);
  *secret = "secret-access-key-of-the-test";
  put = co_await place->put(kName, bytes_of("x"));
  CHECK(put);
  auto other = config_of(server);
  other.region = "us-east-1";
  const auto elsewhere = place_of(make_s3_place(std::move(other), kClock));
  put = co_await elsewhere->put(kName, bytes_of("x"));
  CHECK(!put);
}

ASYNC_TEST_CASE("what a bucket was not asked, or a proxy answered, is not gone", "[archive][contract][s3]") {
  test::KeyServer server("s3_server.py");
  test::TempDir dir;
  const auto file = dir.write("credentials", "[default]");
  auto config = config_of(server);
  config.credentials = [file]() -> Result<outbound::AwsCredentials> {
    if (!std::filesystem::exists(file)) return fail(Errc::not_found, file + ": cannot open the file");
    if (std::filesystem::is_empty(file)) return fail(Errc::invalid, file + ": has no aws_access_key_id");
    return credentials();
  };
  const auto place = place_of(make_s3_place(std::move(config), kClock));
  const auto put = co_await place->put(kName, bytes_of("x"));
  REQUIRE(put);
  const std::vector<std::function<void()>> troubles{[&] { std::filesystem::resize_file(file, 0); },
                                                    [&] { std::filesystem::remove(file); },
                                                    [&] {
                                                      std::ofstream(file) << "[default]";
                                                      server.control(R"({"mode":"proxy"})");
                                                    }};
  for (const auto& trouble : troubles) {
    trouble();
    const auto removed = co_await place->remove(kName);
    REQUIRE(!removed);
    CHECK(removed.error().code == Errc::unavailable);
    const auto got = co_await place->get(kName);
    REQUIRE(!got);
    CHECK(got.error().code == Errc::unavailable);
  }
  server.heal();
  CHECK(co_await place->get(kName));  // it was there all the time
}

ASYNC_TEST_CASE("a bucket that does not answer costs a deadline", "[archive][contract][s3][faults]") {
  test::KeyServer server("s3_server.py");
  auto config = config_of(server);
  config.deadline = 1s;
  const auto place = place_of(make_s3_place(std::move(config), kClock));
  server.control(R"({"mode":"delay","seconds":600})");
  const auto slow = co_await place->put(kName, bytes_of("x"));
  REQUIRE(!slow);
  CHECK(slow.error().code == Errc::timed_out);
  server.control(R"({"mode":"cut"})");
  const auto cut = co_await place->put(kName, bytes_of("x"));
  CHECK(!cut);
  server.stop();
  const auto down = co_await place->put(kName, bytes_of("x"));
  REQUIRE(!down);
  CHECK(down.error().code == Errc::unavailable);
}

TEST_CASE("a bucket's configuration is checked before anybody is asked", "[archive][contract][s3]") {
  const S3Config good{.region = "eu-central-1", .bucket = "archive"};
  CHECK(make_s3_place(good, kClock));
  CHECK((*make_s3_place(good, kClock))->describe() == "bucket archive at https://s3.eu-central-1.amazonaws.com");
  using Spoil = void (*)(S3Config&);
  for (const Spoil spoil :
       {Spoil([](S3Config& one) { one.bucket = "a/b"; }), Spoil([](S3Config& one) { one.bucket = ""; }),
        Spoil([](S3Config& one) { one.region = "eu central"; }),
        Spoil([](S3Config& one) { one.endpoint = "http://bucket.example"; }),
        Spoil([](S3Config& one) { one.endpoint = "https://a.example/path"; }),
        Spoil([](S3Config& one) { one.prefix = "a?b"; }), Spoil([](S3Config& one) { one.ca_file = "/nowhere"; })}) {
    auto bad = good;
    spoil(bad);
    CHECK(!make_s3_place(bad, kClock));
  }
}

TEST_CASE("the code of an error is found in what S3 answers", "[archive][s3]") {
  CHECK(s3_error_code("<Error><Code>NoSuchKey</Code><Message>x</Message></Error>") == "NoSuchKey");
  CHECK(s3_error_code("") == "");
  CHECK(s3_error_code("<html>no</html>") == "");
  CHECK(s3_error_code("<Code>a\nb</Code>") == "a");
  CHECK(s3_error_code("<Code>" + std::string(500, 'a')).size() == 64);
}
