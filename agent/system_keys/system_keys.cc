#include "agent/system_keys/system_keys.h"

#include "agent/platform/beneath.h"
#include "shared/sealing/system_key.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

namespace sallyport::agent {
namespace {

// Else what was removed may be back after a power cut.
Result<void> sync_folder_of(const std::filesystem::path& file) {
  SP_TRY(const auto folder, platform::Root::open(file.parent_path().string()));
  auto durable = folder.make_durable(file.filename().string());
  if (!durable) return std::unexpected(std::move(durable).error().error);
  return {};
}

std::unexpected<Error> no_sealing_key() { return fail(Errc::not_found, "this agent has no sealing key"); }

}  // namespace

SystemKeys::SystemKeys(std::string state_dir, const IdentityStore& identities, const Clock& clock, const Log& log)
    : state_dir_(std::move(state_dir)), identities_(identities), clock_(clock), log_(log) {}

Result<std::unique_ptr<SystemKeys>> SystemKeys::open(const std::string& state_dir, const IdentityStore& identities,
                                                     const Clock& clock, const Log& log, WhenAbsent when_absent) {
  SP_TRY(const auto identity, identities.load());
  std::unique_ptr<SystemKeys> keys(new SystemKeys(state_dir, identities, clock, log));
  keys->self_ = identity.id;
  const auto path = keys->sealing_path();
  auto sealing =
      when_absent == WhenAbsent::make ? SealingKeys::load_or_create(path, clock.wall()) : SealingKeys::load(path);
  if (!sealing && (when_absent == WhenAbsent::make || sealing.error().code != Errc::not_found))
    return std::unexpected(std::move(sealing).error());
  if (sealing) keys->sealing_ = *std::move(sealing);
  SP_TRY(keys->held_, load_held(keys->held_path()));
  return keys;
}

const HeldKey* SystemKeys::find(std::string_view name) const {
  const auto found = std::ranges::find(held_, name, &HeldKey::name);
  return found == held_.end() ? nullptr : &*found;
}

Result<sealing::Credentials> SystemKeys::open_key(const HeldKey& key) const {
  const auto* own = sealing_ ? sealing_->find(key.generation) : nullptr;
  auto opened = own != nullptr ? sealing::open_credentials(*own,
                                                           {.org = self_.org,
                                                            .group = key.group,
                                                            .name = key.name,
                                                            .version = key.version,
                                                            .agent = self_.agent,
                                                            .generation = key.generation},
                                                           key.sealed)
                               : fail(Errc::invalid, "");
  if (opened) return opened;
  return fail(Errc::invalid,
              fmt::format("the system key {0} does not open with this agent's sealing keys: set it again with "
                          "`sallyport system-keys set {0} --group GROUP`",
                          key.name));
}

Result<Secret> SystemKeys::value(std::string_view name, std::string_view value) const {
  const std::lock_guard lock(mutex_);
  const auto* key = find(name);
  if (key == nullptr) {
    return fail(
        Errc::not_found,
        fmt::format("the system key {0} is not on this agent: `sallyport system-keys show {0}` says who has it, "
                    "`sallyport system-keys set {0} --group GROUP` seals it to all agents of its group",
                    name));
  }
  SP_TRY(const auto credentials, open_key(*key));
  const auto found = credentials.find(value);
  if (found == credentials.end())
    return fail(Errc::not_found, fmt::format("the system key {} has no value \"{}\"", name, value));
  return found->second.duplicate();
}

std::uint64_t SystemKeys::version_of(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto* key = find(name);
  return key == nullptr ? 0 : key->version;
}

std::vector<SystemKeyFact> SystemKeys::facts() const {
  const std::lock_guard lock(mutex_);
  std::vector<SystemKeyFact> facts;
  facts.reserve(held_.size());
  for (const auto& key : held_) facts.push_back({key.name, key.version, open_key(key).has_value()});
  std::ranges::sort(facts, {}, &SystemKeyFact::name);
  return facts;
}

Result<std::vector<SystemKeyFact>> SystemKeys::keep_better(std::vector<HeldKey>& brought) const {
  const std::lock_guard lock(mutex_);
  if (!sealing_) return no_sealing_key();
  std::vector<SystemKeyFact> facts;
  facts.reserve(brought.size());
  for (auto& key : brought) {
    const bool opens = open_key(key).has_value();
    const auto* present = find(key.name);
    const bool stays = present != nullptr && (!opens || present->version > key.version) && open_key(*present);
    if (stays && opens) log_.warn("system_key.older", {{"system_key", key.name}, {"version", key.version}});
    facts.push_back({key.name, stays && opens ? present->version : key.version, opens});
    if (stays) key = *present;
  }
  return facts;
}

Result<std::vector<SystemKeyFact>> SystemKeys::take(std::vector<HeldKey> brought) {
  SP_CHECK(check_held(brought));
  const std::lock_guard turn(taking_);
  SP_TRY(auto facts, keep_better(brought));
  SP_CHECK(save_held(held_path(), brought));
  std::set<sealing::Generation> used;
  for (const auto& key : brought) used.insert(key.generation);
  const std::lock_guard lock(mutex_);
  if (!sealing_) return no_sealing_key();
  held_ = std::move(brought);
  SP_CHECK(sealing_->keep_only(used));
  return facts;
}

// The keys go before what is sealed to them.
void SystemKeys::forget_all() {
  const std::lock_guard turn(taking_);
  {
    const std::lock_guard lock(mutex_);
    if (!sealing_) return;
    sealing_.reset();
    held_.clear();
  }
  for (const auto& path : {sealing_path(), held_path()}) {
    std::error_code why;
    std::filesystem::remove(path, why);
    if (why) log_.error("system_keys.not_forgotten", {{"why", path + ": " + why.message()}});
  }
  if (const auto synced = sync_folder_of(held_path()); !synced)
    log_.error("system_keys.not_forgotten", {{"why", synced.error().message}});
  log_.warn("system_keys.forgotten", {{"why", "this agent has been revoked"}});
}

Result<Bytes> SystemKeys::statement() {
  SP_TRY(auto identity, identities_.load());
  const std::lock_guard lock(mutex_);
  if (!sealing_) return no_sealing_key();
  if (clock_.wall() - sealing_->newest_made_at() >= kSealingKeyLife) SP_CHECK(sealing_->renew(clock_.wall()));
  SP_TRY(const auto statement, sealing::make_statement(identity.id, sealing_->newest(), sealing_->newest_key(),
                                                       identity.key, {identity.chain.at(0), identity.chain.at(1)}));
  return sealing::to_bytes(statement);
}

Result<sealing::Generation> SystemKeys::renew() {
  const std::lock_guard lock(mutex_);
  if (!sealing_) return no_sealing_key();
  SP_CHECK(sealing_->renew(clock_.wall()));
  return sealing_->newest();
}

std::string SystemKeys::fingerprint() const {
  const std::lock_guard lock(mutex_);
  return sealing_ ? sealing::fingerprint_of(sealing_->newest_key().public_point()) : "";
}

}  // namespace sallyport::agent
