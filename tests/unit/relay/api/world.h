#pragma once

#include "relay/api/api.h"
#include "relay/archive/archiver.h"
#include "relay/erasure/eraser.h"
#include "relay/identity/agent_authority.h"
#include "relay/jobs/service.h"
#include "relay/keys/custodian.h"
#include "relay/keys/own_keys.h"
#include "relay/store/sqlite/sqlite_store.h"
#include "relay/webhooks/door.h"
#include "shared/async/fair_pool.h"
#include "tests/support/fixed_fingerprints.h"
#include "tests/support/key_ring.h"
#include "tests/support/pki.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_places.h"
#include "tests/unit/relay/api/test_authorizations.h"
#include "tests/unit/relay/api/test_desk.h"

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

// One row of an audit ledger.
struct Seen {
  OrgId ledger;
  Value event;
};

class TestPresence final : public jobs::AgentPresence {
 public:
  std::optional<jobs::LinkState> link_of(const OrgId&, const AgentId& agent) const override;
  void cut(const OrgId&, const AgentId&, std::string, std::string) override {}
  void relink(const OrgId&, const AgentId& agent, std::string) override { relinked.push_back(agent); }
  std::map<AgentId, jobs::LinkState> linked;
  std::vector<AgentId> relinked;
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
  RecipeId recipe;       // two versions, the first one active
  RecipeId idle_recipe;  // never active, without jobs
  JobId job;             // queued
  JobId ended_job;
  TunnelId tunnel;
  TunnelId paused_tunnel;
  OrgId organisation;  // named like its id, and empty
  ErasureId erasure;   // of another user, begun
  std::string system_key;
  authorizations::AuthorizationId authorization;
  WebhookId webhook;
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
  explicit World(const asio::any_io_executor& executor, api::ApiOptions options = {}, std::string vfs = {});
  ~World();

  asio::awaitable<Tenant> settle(std::string name);
  asio::awaitable<std::string> platform_token();  // of an admin who is a viewer of an organisation of their own
  asio::awaitable<Targets> make_targets(Tenant tenant);
  asio::awaitable<RecipeId> apply_recipe(Tenant tenant, std::string name, std::string yaml);
  asio::awaitable<JobId> start(Tenant tenant, RecipeId recipe);
  asio::awaitable<WebhookId> add_webhook(Tenant tenant, RecipeId recipe, std::string secret);
  asio::awaitable<void> archive_job(OrgId org, JobId job, std::string record);
  asio::awaitable<TunnelId> add_tunnel(Tenant tenant, std::string name, store::TunnelStatus status);

  asio::awaitable<http::Reply> play(Ask ask);
  asio::awaitable<http::Response> call(Ask ask);  // a live stream is an error

  std::filesystem::path database() const { return folder.path("relay.db"); }
  std::vector<Seen> news();  // what went into any audit ledger since the last time it was asked for, in order

  MovableClock clock;
  TempDir folder;
  NullSink sink;
  Log log{sink, clock, LogLevel::debug};
  Metrics metrics;
  std::unique_ptr<store::SqliteStore> store;
  store::Stores stores;
  KeyRing ring;
  keys::Envelope& envelope;
  TestPlaces key_places;
  keys::OwnKeys own_keys;
  keys::Resealer resealer;
  keys::Custodian custodian;
  FixedFingerprints fingerprints;
  Audit audit;
  erasure::Receipts receipts;
  std::vector<OrgId> quietened;
  erasure::Eraser eraser;  // its run() is nobody's: look() goes on with what was begun
  identity::Deployment deployment;
  identity::AgentAuthority authority;
  identity::Enrolments enrolments;
  identity::Revocations revocations;
  jobs::LocalJobFeed feed;
  jobs::VolatilePayloads memory;
  jobs::ParcelMaker parcels;
  jobs::RecipeOutlines outlines;
  archive::RecordMaker records;
  bool archive_broken = false;
  archive::Places places;  // "local", in memory
  archive::Archiver archiver;
  jobs::RetentionRules retention;
  jobs::Dispatcher dispatcher;
  jobs::StoredJobService job_service;
  FairPool recipe_work;
  TestPresence presence;
  TestDesk desk;
  TestAuthorizations authorizations;
  std::vector<OrgId> triggers_changed;
  std::vector<OrgId> retention_changed;
  std::vector<GroupId> system_keys_changed;
  std::optional<AgentId> triggers_taken_from;  // by the last change
  // A place for a link that is closed at once, unless a test gives another.
  std::function<Result<api::Services::ServeLink>(const std::string&)> take_link = [](const std::string&) {
    return api::Services::ServeLink([](std::unique_ptr<ByteStream>) -> asio::awaitable<void> { co_return; });
  };
  api::Api api;
  webhooks::Door door;  // in front of it, as in the relay

 private:
  asio::awaitable<std::string> add_token(OrgId org, UserId user, domain::ScopeSet scopes);

  std::int64_t last_row_seen_ = 0;
};

std::string recipe_yaml(std::string_view name, std::string_view group = "dc1", std::string_view message = "done");
Value json_of(const http::Response& response);  // throws unless it is JSON
ValueList items_of(const http::Response& response);
std::string text_of(const Value& value, std::string_view member);

}  // namespace sallyport::test
