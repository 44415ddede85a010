#pragma once

#include "relay/archive/directory_place.h"
#include "relay/archive/s3_place.h"
#include "tests/contract/keys/key_server.h"
#include "tests/support/async_test.h"
#include "tests/support/temp_dir.h"

namespace sallyport::test {

inline const SystemClock kClock;

inline outbound::AwsCredentials credentials(std::string secret = "secret-access-key-of-the-test") {
  return {"AKIATESTONLY", Secret::take(std::move(secret)), {}};
}

inline archive::S3Config config_of(const KeyServer& server) {
  archive::S3Config config{.endpoint = server.url(),
                           .region = "eu-central-1",
                           .bucket = "archive",
                           .prefix = "sallyport/",
                           .ca_file = server.ca_file()};
  config.credentials = outbound::always(credentials());
  config.deadline = std::chrono::seconds(10);
  return config;
}

inline std::unique_ptr<archive::Place> place_of(Result<std::unique_ptr<archive::Place>> made) {
  if (!made) FAIL(made.error().message);
  return *std::move(made);
}

// A place of each kind, with what it needs.
struct Any {
  Any() {
    const int kind = GENERATE(0, 1, 2);
    if (kind == 0) {
      place = place_of(archive::make_directory_place(dir.path("archive")));
      return;
    }
    server = std::make_unique<KeyServer>("s3_server.py");
    auto config = config_of(*server);
    if (kind == 2) {
      config.style = archive::BucketStyle::host;
      config.endpoint.replace(config.endpoint.find("127.0.0.1"), 9, "localhost");
    }
    place = place_of(archive::make_s3_place(std::move(config), kClock));
  }
  TempDir dir;
  std::unique_ptr<KeyServer> server;
  std::unique_ptr<archive::Place> place;
};

}  // namespace sallyport::test
