#pragma once

#include "relay/keys/providers/aws_kms.h"
#include "tests/contract/keys/key_server.h"
#include "tests/contract/keys/place.h"

namespace sallyport::test {

// tests/support/kms_server.py, and credentials that it takes.
class AwsPlace final : public Place {
 public:
  AwsPlace() : server("kms_server.py") {}
  keys::AwsKmsConfig config(const std::string& key = "main") const;

  std::unique_ptr<keys::Provider> provider(std::string key, std::chrono::milliseconds deadline) override;
  void revoke() override { server.control(R"({"mode":"disabled"})"); }
  void restore() override { server.heal(); }
  void slow() override { server.control(R"({"mode":"delay","seconds":600})"); }
  void stop() override { server.stop(); }
  void garble() override { server.control(R"({"mode":"garbage"})"); }
  void heal() override;
  std::vector<std::string> credentials() const override;

  KeyServer server;
  SystemClock clock;
};

}  // namespace sallyport::test
