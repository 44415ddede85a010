#include "tests/unit/relay/keys/world.h"

#include "shared/crypto/new_id.h"

namespace sallyport::test {
namespace {

std::string said(const Result<Secret>& opened) {
  return opened ? std::string(opened->reveal()) : std::string(to_string(opened.error().code));
}

keys::RecordIdentity data_of(const KeptJob& job) {
  return {job.org, "jobs", "trigger", job.job.value, keys::KeyClass::payload, job.job};
}

keys::RecordIdentity words_of(const KeptJob& job) {
  return {job.org, "jobs", "error_message", job.job.value, keys::KeyClass::logs, job.job};
}

}  // namespace

KeysWorld::KeysWorld(const asio::any_io_executor& executor)
    : store(must(store::SqliteStore::open({.file = folder / "relay.db"}))),
      stores(store->stores()),
      ring(
          executor, folder.path(), sound, stores.job_keys, &provider, [this] { return sound.earliest(); },
          &stores.key_witnesses),
      shredder({ring.store->keys(), stores.job_keys, ring.hierarchy, clock, log, metrics,
                [this] { return std::optional(true_time()); }}) {}

awaitable<OrgId> KeysWorld::settle(std::string name) {
  const auto org = crypto::new_id<OrgId>(clock);
  const auto owner = crypto::new_id<UserId>(clock);
  const auto group = crypto::new_id<GroupId>(clock);
  must(co_await stores.organisations.add({org, name, clock.wall()}));
  must(co_await stores.users.add(org, {.id = owner,
                                       .org = org,
                                       .name = "Olga",
                                       .email = "olga@" + name,
                                       .role = domain::Role::owner,
                                       .created_at = clock.wall()}));
  must(co_await stores.groups.add(org, {group, org, "dc1", clock.wall()}));
  const auto applied = must(co_await stores.recipes.apply(org, {.id_if_new = crypto::new_id<RecipeId>(clock),
                                                                .name = "orders",
                                                                .run_on = "dc1",
                                                                .trigger = "manual@1",
                                                                .source_yaml = "recipe: orders",
                                                                .canonical_json = "{}",
                                                                .sha256 = Bytes(32),
                                                                .created_by = owner,
                                                                .created_at = clock.wall()}));
  models_[org] = {.org = org, .recipe = applied.recipe.id, .version = 1, .group = group, .trigger_kind = "manual"};
  co_return org;
}

awaitable<KeptJob> KeysWorld::start(OrgId org, domain::JobRetention retention) {
  store::NewJob fresh{.job = models_.at(org)};
  fresh.job.id = crypto::new_id<JobId>(clock);
  fresh.job.created_at = sound.wall();
  fresh.job.retention = retention;
  KeptJob job{org, fresh.job.id, {}, {}};
  auto keys = must(co_await ring.envelope.make_job_keys(org, job.job, retention));
  job.trigger = must(co_await ring.envelope.seal_new(keys, data_of(job), as_bytes("data of " + job.job.value)));
  job.words = must(co_await ring.envelope.seal_new(keys, words_of(job), as_bytes("words of " + job.job.value)));
  fresh.sealed_trigger = job.trigger;
  fresh.keys = std::move(keys.wrapped);
  must(co_await stores.jobs.add(org, std::move(fresh)));
  co_return job;
}

awaitable<void> KeysWorld::finish(KeptJob job) {
  must(co_await stores.jobs.request_cancel(job.org, job.job, {sound.wall(), {}}));
}

awaitable<std::string> KeysWorld::read(KeptJob job) {
  co_return said(co_await ring.envelope.open(data_of(job), job.trigger));
}

awaitable<std::string> KeysWorld::words(KeptJob job) {
  co_return said(co_await ring.envelope.open(words_of(job), job.words));
}

awaitable<keys::Shredder::Tally> KeysWorld::shred() { co_return must(co_await shredder.pass(true_time())); }

}  // namespace sallyport::test
