#pragma once

#include "relay/api/api.h"
#include "relay/identity/agent_authority.h"
#include "relay/jobs/service.h"
#include "relay/keys/local_envelope.h"
#include "relay/store/sqlite/sqlite_store.h"
#include "tests/support/pki.h"
#include "tests/support/temp_dir.h"

#include <boost/asio/any_io_executor.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

// The whole web API over a real SQLite store, without sockets: requests go through the gate and then to the Api.
namespace sallyport::test {

namespace asio = boost::asio;

class NullSink final : public LogSink {
 public:
  void write(std::string_view line) override { text.append(line).append("\n"); }
  std::string text;
};

// Counts appended rows by action and outcome; fails when told to.
class CountingAuditLog final : public store::AuditLog {
 public:
  explicit CountingAuditLog(store::AuditLog& log) : log_(log) {}
  store::awaitable<Result<store::AuditRow>> append(OrgId org, store::AuditEvent event) override;
  store::awaitable<Result<store::Page<store::AuditRow>>> list(OrgId org, store::AuditFilter filter,
                                                              store::PageQuery page) override {
    return log_.list(std::move(org), std::move(filter), std::move(page));
  }
  store::awaitable<Result<store::AuditVerdict>> verify(OrgId org) override { return log_.verify(std::move(org)); }

  struct Seen {
    OrgId ledger;
    Value event;
  };
  std::vector<Seen> seen;
  bool broken = false;

 private:
  store::AuditLog& log_;
};

class TestPresence final : public jobs::AgentPresence {
 public:
  std::optional<jobs::LinkState> link_of(const OrgId&, const AgentId& agent) const override;
  void cut(const OrgId&, const AgentId&, std::string, std::string) override {}
  std::map<AgentId, jobs::LinkState> linked;
};

// One organisation with a user and a token of each role.
struct Tenant {
  OrgId org;
  GroupId group;  // named "dc1"
  std::map<domain::Role, UserId> users;
  std::map<domain::Role, std::string> tokens;  // "spt_..."
  const std::string& token(domain::Role role) const { return tokens.at(role); }
};

// Something of every kind, fresh, of one organisation.
struct Targets {
  UserId user;
  ApiTokenId token;
  GroupId group;  // empty
  AgentId agent;
  EnrolmentId enrolment_token;
  RecipeId recipe;  // two versions, the first one active
  JobId job;        // queued
  JobId ended_job;
};

struct Ask {
  std::string method = "GET";
  std::string target;
  std::string token = {};
  std::string body = {};
  std::vector<std::string> headers = {};  // whole lines
  std::string peer = "192.0.2.1";
};

struct World {
  explicit World(asio::any_io_executor executor, api::ApiOptions options = {});
  ~World();

  asio::awaitable<Tenant> settle(std::string name);
  asio::awaitable<std::string> platform_token();  // of an admin who is a viewer of an organisation of their own
  asio::awaitable<Targets> make_targets(Tenant tenant);
  asio::awaitable<RecipeId> apply_recipe(Tenant tenant, std::string name, std::string yaml);
  asio::awaitable<JobId> start(Tenant tenant, RecipeId recipe);

  asio::awaitable<http::Reply> play(Ask ask);
  asio::awaitable<http::Response> call(Ask ask);  // a live stream is an error

  MovableClock clock;
  TempDir folder;
  NullSink sink;
  Log log{sink, clock, LogLevel::debug};
  Metrics metrics;
  std::unique_ptr<store::SqliteStore> store;
  store::Stores stores;
  keys::LocalEnvelope envelope;
  CountingAuditLog ledger;
  Audit audit;
  identity::Deployment deployment;
  identity::AgentAuthority authority;
  identity::Enrolments enrolments;
  identity::Revocations revocations;
  jobs::LocalJobFeed feed;
  jobs::ParcelMaker parcels;
  jobs::Dispatcher dispatcher;
  jobs::StoredJobService job_service;
  TestPresence presence;
  std::vector<OrgId> triggers_changed;
  api::Api api;

 private:
  asio::awaitable<std::string> add_token(OrgId org, UserId user, domain::ScopeSet scopes);
};

std::string recipe_yaml(std::string_view name, std::string_view group = "dc1", std::string_view message = "done");
Value json_of(const http::Response& response);  // throws unless it is JSON
ValueList items_of(const http::Response& response);
std::string text_of(const Value& value, std::string_view member);

}  // namespace sallyport::test
