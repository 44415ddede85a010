#pragma once

#include "agent/connectors/connection_test.h"
#include "agent/connectors/site.h"

namespace sallyport::connectors::file {

// "directory": the connection's root. "permission": what the local policy allows in it, and this user may do.
class FileConnectionTest final : public ConnectionTest {
 public:
  explicit FileConnectionTest(const policy::Policy& policy) : policy_(policy) {}
  std::string_view kind() const override { return "file"; }
  findings::Findings run(const policy::Connection& connection, SteadyTime deadline) override;

 private:
  const policy::Policy& policy_;
};

}  // namespace sallyport::connectors::file
