#pragma once

#include "relay/api/api.h"
#include "relay/app/ballast.h"
#include "relay/app/believed_clock.h"
#include "relay/app/clock_electorate.h"
#include "relay/app/database.h"
#include "relay/app/key_ring.h"
#include "relay/app/open_files.h"
#include "relay/app/own_key_places.h"
#include "relay/archive/archiver.h"
#include "relay/audit/ledger_cutter.h"
#include "relay/authorizations/authorizations.h"
#include "relay/erasure/eraser.h"
#include "relay/gateway/gateway.h"
#include "relay/identity/upkeep.h"
#include "relay/jobs/journals.h"
#include "relay/jobs/service.h"
#include "relay/keys/backups.h"
#include "relay/keys/custodian.h"
#include "relay/keys/discreet_provider.h"
#include "relay/keys/layered_envelope.h"
#include "relay/keys/measured_provider.h"
#include "relay/keys/own_keys.h"
#include "relay/keys/shredder.h"
#include "relay/keys/sound_clock.h"
#include "relay/keys/tenant_fingerprints.h"
#include "relay/tunnels/carrier.h"
#include "relay/webhooks/door.h"
#include "shared/async/fair_pool.h"
#include "shared/http/server.h"

#include <boost/asio/any_io_executor.hpp>

#include <filesystem>
#include <memory>

namespace sallyport::app {

class LogFiles;

// What a relay is built on; outlives it.
struct Ground {
  const DataDirectory& data;
  const Settings& settings;
  std::size_t open_files;  // that the process may have
  const ConnectionLimits& limits;
  store::SqliteStore& database;
  identity::Deployment& deployment;
  KeyRing& keys;
  const std::filesystem::path& key_backups;
  archive::Places& archives;
  const Clock& clock;
  const Log& log;
  LogFiles& log_files;
};

// Everything of a running relay, in the order it is built; later members use earlier ones.
struct Graph {
  Graph(const boost::asio::any_io_executor& loop, const Ground& on, tls::ServerContext context);

  store::Stores stores;
  Metrics metrics;
  gateway::AgentClocks agent_clocks;
  BelievedClock believed;
  ClockElectorate electorate;
  keys::SoundClock clock;
  keys::Backups backups;
  keys::ProviderFigures master_key_calls;
  std::shared_ptr<keys::DiscreetProvider> discreet_master_key;
  keys::MeasuredProvider master_key;
  keys::Hierarchy hierarchy;
  keys::LayeredEnvelope envelope;
  keys::TenantFingerprints fingerprints;
  Ballast ballast;
  keys::Shredder shredder;
  Audit audit;
  OwnKeyPlaces own_key_places;
  keys::OwnKeys own_keys;
  keys::Resealer resealer;
  keys::Custodian custodian;
  FairPool recipe_work;
  identity::AgentAuthority authority;
  identity::Enrolments enrolments;
  identity::Renewals renewals;
  identity::Revocations revocations;
  identity::Admissions admissions;
  jobs::VolatilePayloads memory;
  jobs::ParcelMaker parcels;
  jobs::RecipeOutlines outlines;
  jobs::RetentionRules retention;
  LedgerCutter ledger_cutter;
  archive::RecordMaker records;
  archive::Archiver archiver;
  jobs::LocalJobFeed feed;
  jobs::Dispatcher dispatcher;
  jobs::Journals journals;
  jobs::Assigner assigner;
  jobs::Recorder recorder;
  jobs::StoredJobService job_service;
  gateway::Links links;
  gateway::KeyCourier courier;
  gateway::Gateway gateway;
  tunnels::Carrier carrier;
  authorizations::Authorizations authorizations;
  erasure::Receipts receipts;
  erasure::Eraser eraser;
  api::Api api;
  webhooks::Door webhooks;
  http::Server server;
  identity::Upkeep upkeep;

 private:
  boost::asio::awaitable<void> back_up_keys();
  boost::asio::awaitable<Result<void>> renew_key_backups(store::KeyCopies& copies,
                                                         std::vector<std::filesystem::path> left);
  Result<void> serve_anew(const identity::Deployment& deployed, const Clock& time);
};

// What agents' links are accepted with.
Result<tls::ServerContext> link_context(const identity::Deployment& deployed, const Clock& clock);

}  // namespace sallyport::app
