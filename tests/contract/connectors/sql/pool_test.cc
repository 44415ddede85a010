// What a pool does when the credentials of its database change.
#include "agent/connectors/sql/pool.h"
#include "shared/base/log.h"
#include "tests/support/pki.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::connectors;
using namespace sallyport::connectors::sql;

namespace {

struct Server {
  std::uint64_t credentials = 1;
  int opened = 0;
  int closed = 0;
};

class CountedConnection final : public Connection {
 public:
  explicit CountedConnection(Server& server) : server_(server) { ++server_.opened; }
  ~CountedConnection() override { ++server_.closed; }
  StepResult<void> begin(Access, const CallLimits&) override { return {}; }
  StepResult<void> commit(const CallLimits&) override { return {}; }
  void rollback() noexcept override {}
  StepResult<std::int64_t> execute(const Statement&, const ValueList&, DroppedRows&, const CallLimits&) override {
    return 0;
  }
  StepResult<void> query(const Statement&, const ValueList&, RowSink&, const CallLimits&) override { return {}; }
  StepResult<std::int64_t> execute_own(const Statement&, const ValueList&, const CallLimits&) override { return 0; }
  StepResult<void> query_own(const Statement&, const ValueList&, RowSink&, const CallLimits&) override { return {}; }
  bool is_usable() override { return true; }

 private:
  Server& server_;
};

class CountedDatabase final : public Database {
 public:
  explicit CountedDatabase(Server& server) : server_(server) {}
  policy::SqlDialect dialect() const override { return policy::SqlDialect::postgres; }
  StepResult<std::unique_ptr<Connection>> connect(const CallLimits&) override {
    if (server_.credentials == 0) return step_fail("not_found", "no such system key");
    return std::make_unique<CountedConnection>(server_);
  }
  std::uint64_t credentials() const override { return server_.credentials; }

 private:
  Server& server_;
};

struct Silence final : LogSink {
  void write(std::string_view) override {}
};

struct PoolSite {
  Server server;
  SystemClock clock;
  Silence sink;
  Log log{sink, clock, LogLevel::error};
  Pool pool{"erp", std::make_unique<CountedDatabase>(server), 2, log};
  CallLimits limits{std::chrono::steady_clock::now() + std::chrono::seconds(20), {}};

  bool ask() { return pool.begin(Access::read_only, limits).has_value(); }
};

}  // namespace

TEST_CASE("connections that were opened with other credentials are not used again", "[sql][system_keys]") {
  PoolSite at;
  REQUIRE(at.ask());
  REQUIRE(at.ask());
  CHECK(at.server.opened == 1);  // positive control: with the same ones it is
  at.server.credentials = 2;
  REQUIRE(at.ask());
  CHECK(at.server.opened == 2);
  CHECK(at.server.closed == 1);
}

TEST_CASE("a connection in use while its credentials change is closed afterwards", "[sql][system_keys]") {
  PoolSite at;
  {
    const auto first = at.pool.begin(Access::read_only, at.limits);
    REQUIRE(first);
    at.server.credentials = 2;
    REQUIRE(at.ask());
    CHECK(at.server.opened == 2);
  }
  CHECK(at.server.closed == 1);
  for (int i = 0; i < 4; ++i) REQUIRE(at.ask());  // its place is free again
  const auto one = at.pool.begin(Access::read_only, at.limits);
  const auto two = at.pool.begin(Access::read_only, at.limits);
  CHECK((one && two));
}

TEST_CASE("without its system key a pool gives nothing, not even what is open", "[sql][system_keys]") {
  PoolSite at;
  REQUIRE(at.ask());
  at.server.credentials = 0;
  CHECK_FALSE(at.ask());
  CHECK(at.server.closed == 1);
  for (int i = 0; i < 4; ++i) CHECK_FALSE(at.ask());
  at.server.credentials = 3;
  CHECK(at.ask());
}
