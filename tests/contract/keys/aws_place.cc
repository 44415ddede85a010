#include "tests/contract/keys/aws_place.h"

#include "tests/support/pki.h"

namespace sallyport::test {

keys::AwsKmsConfig AwsPlace::config(const std::string& key) const {
  keys::AwsKmsConfig config;
  config.region = "eu-central-1";
  config.key = "alias/" + key;
  config.credentials = outbound::always(outbound::AwsCredentials{
      "ASIATESTONLY", Secret::take("temporary-secret-of-the-test"), Secret::take("session-token-of-the-test")});
  config.endpoint = server.url();
  config.ca_file = server.ca_file();
  return config;
}

std::unique_ptr<keys::Provider> AwsPlace::provider(std::string key, std::chrono::milliseconds deadline) {
  auto made = config(key);
  made.deadline = deadline;
  return must(keys::make_aws_kms(std::move(made), clock));
}

void AwsPlace::heal() {
  server.heal();
  if (!server.runs()) server.start();
}

std::vector<std::string> AwsPlace::credentials() const {
  return {"temporary-secret-of-the-test", "session-token-of-the-test"};
}

std::unique_ptr<Place> aws_place() { return std::make_unique<AwsPlace>(); }

}  // namespace sallyport::test
