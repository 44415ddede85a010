#include "relay/keys/layered_envelope.h"

#include "relay/keys/key_names.h"
#include "relay/keys/key_wrap.h"
#include "shared/crypto/random.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sallyport::keys {

namespace asio = boost::asio;

namespace {

const store::RetentionLane kTransientLane{"transient", kTransientHours};

std::string name_of(const RecordIdentity& identity) { return identity.table + "." + identity.column; }

// Names the record where that is what is wrong. What keeps a key away is nothing of the record's.
std::unexpected<Error> of_record(const RecordIdentity& identity, Error why) {
  if (why.code == Errc::unavailable) return std::unexpected(std::move(why));
  return in_context(name_of(identity), std::move(why));
}

store::RetentionLane lane_of(KeyClass kind, domain::Hours kept) {
  return {std::string(to_string(kind)), static_cast<std::uint32_t>(kept.count())};
}

Result<Bytes> seal_under(std::span<const std::byte> inner, std::uint32_t number, const HeldKey& outer,
                         const RecordIdentity& identity, std::span<const std::byte> plaintext) {
  SealHeader header{.key = identity.key, .global = outer.version, .inner = number};
  crypto::fill_random(header.salt);
  return seal_record({inner, outer.key->bytes()}, header, identity, plaintext);
}

// The key that was made for the job, when it is one of those.
Result<std::span<const std::byte>> new_key(const NewJobKeys& keys, const RecordIdentity& identity) {
  const LockedKey& key = identity.key == KeyClass::payload ? keys.payload : keys.logs;
  const bool fits = identity.job == keys.job && identity.org == keys.org &&
                    (identity.key == KeyClass::payload || identity.key == KeyClass::logs);
  if (!fits) return fail(Errc::internal, name_of(identity) + ": not sealed under this job's keys");
  if (!key.is_taken()) return fail(Errc::invalid, name_of(identity) + ": no payload of this job may be kept");
  return key.bytes();
}

}  // namespace

std::string_view to_string(KeyClass key) {
  switch (key) {
    case KeyClass::standing: return "standing";
    case KeyClass::payload: return "payload";
    case KeyClass::logs: return "logs";
    case KeyClass::transient: return "transient";
    case KeyClass::archive: return "archive";
  }
  return "";
}

asio::awaitable<Result<NewJobKeys>> LayeredEnvelope::make_job_keys(OrgId org, JobId job,
                                                                   domain::JobRetention retention) {
  NewJobKeys keys{.org = std::move(org), .job = std::move(job), .wrapped = {}, .payload = {}, .logs = {}};
  const auto hour = store::hour_of(keys_.clock().wall());
  if (retention.payload > domain::kKeptNever) {
    SP_CO_CHECK(co_await add_job_key(keys, keys.payload, lane_of(KeyClass::payload, retention.payload), hour));
  }
  SP_CO_CHECK(co_await add_job_key(keys, keys.logs, lane_of(KeyClass::logs, retention.logs), hour));
  co_return keys;
}

asio::awaitable<Result<void>> LayeredEnvelope::add_job_key(NewJobKeys& keys, LockedKey& key, store::RetentionLane lane,
                                                           store::Hour hour) {
  SP_CO_TRY(const auto above, co_await keys_.hour_for_writing(keys.org, lane, hour));
  SP_CO_TRY(key, random_key(keys_.memory()));
  SP_CO_TRY(auto wrapped,
            wrap_key(keys_.memory(), {above.key.key->bytes()}, job_key_name(keys.org, keys.job, lane), key));
  keys.wrapped.push_back({std::move(lane), above.hour, std::move(wrapped)});
  co_return Result<void>();
}

asio::awaitable<Result<Bytes>> LayeredEnvelope::seal(RecordIdentity identity, std::span<const std::byte> plaintext) {
  const auto outer = co_await keys_.global();
  if (!outer) co_return of_record(identity, outer.error());
  const auto inner = co_await inner_to_seal(identity);
  if (!inner) co_return of_record(identity, inner.error());
  co_return seal_under(inner->key->bytes(), inner->number, *outer, identity, plaintext);
}

asio::awaitable<Result<Bytes>> LayeredEnvelope::seal_new(const NewJobKeys& keys, RecordIdentity identity,
                                                         std::span<const std::byte> plaintext) {
  const auto outer = co_await keys_.global();
  if (!outer) co_return of_record(identity, outer.error());
  SP_CO_TRY(const auto inner, new_key(keys, identity));
  co_return seal_under(inner, 0, *outer, identity, plaintext);
}

asio::awaitable<Result<LayeredEnvelope::Inner>> LayeredEnvelope::inner_to_seal(const RecordIdentity& identity) {
  switch (identity.key) {
    case KeyClass::standing: {
      SP_CO_TRY(auto key, co_await keys_.tenant(identity.org));
      co_return Inner{std::move(key.key), key.version};
    }
    case KeyClass::transient: {
      const auto hour = store::hour_of(keys_.clock().wall());
      SP_CO_TRY(auto key, co_await keys_.hour_for_writing(identity.org, kTransientLane, hour));
      co_return Inner{std::move(key.key.key), static_cast<std::uint32_t>(key.hour)};
    }
    case KeyClass::payload:
    case KeyClass::logs: {
      SP_CO_TRY(auto key, co_await job_key(identity.org, identity.job, identity.key));
      co_return Inner{std::move(key), 0};
    }
    case KeyClass::archive: break;
  }
  co_return fail(Errc::internal, "no such class of keys");
}

asio::awaitable<Result<Secret>> LayeredEnvelope::open(RecordIdentity identity, std::span<const std::byte> sealed) {
  const auto record = split_sealed(sealed);
  if (!record) co_return of_record(identity, record.error());
  if (record->header.key != identity.key) {
    co_return fail(Errc::invalid, name_of(identity) + ": sealed under a key of another class");
  }
  const auto inner = co_await inner_to_open(identity, record->header.inner);
  if (!inner) co_return of_record(identity, inner.error());
  const auto outer = co_await keys_.global(record->header.global);
  if (!outer) co_return of_record(identity, outer.error());
  auto opened = open_record({(*inner)->bytes(), outer->key->bytes()}, *record, identity);
  if (!opened) co_return of_record(identity, std::move(opened).error());
  co_return opened;
}

asio::awaitable<Result<Bytes>> LayeredEnvelope::seal_anew(RecordIdentity identity, std::span<const std::byte> sealed,
                                                          StandingVersions to) {
  SP_CO_TRY(const auto plaintext, co_await open(identity, sealed));
  const auto outer = co_await keys_.global(to.global);
  if (!outer) co_return of_record(identity, outer.error());
  const auto inner = co_await keys_.tenant(identity.org, to.organisation);
  if (!inner) co_return of_record(identity, inner.error());
  co_return seal_under(inner->key->bytes(), inner->version, *outer, identity, as_bytes(plaintext.reveal()));
}

asio::awaitable<Result<SharedKey>> LayeredEnvelope::inner_to_open(const RecordIdentity& identity,
                                                                  std::uint32_t number) {
  if (identity.key == KeyClass::standing) {
    SP_CO_TRY(auto key, co_await keys_.tenant(identity.org, std::max(number, 1u)));
    co_return std::move(key.key);
  }
  if (identity.key == KeyClass::transient) {
    SP_CO_TRY(auto key, co_await keys_.hour(identity.org, kTransientLane, number));
    co_return std::move(key.key);
  }
  co_return co_await job_key(identity.org, identity.job, identity.key);
}

asio::awaitable<Result<SharedKey>> LayeredEnvelope::job_key(OrgId org, JobId job, KeyClass kind) {
  auto name = fmt::format("{}{}/{}", job_prefix(org), job.value, to_string(kind));
  SP_CO_TRY(auto held, co_await keys_.held(std::move(name), [this, org = std::move(org), job = std::move(job), kind] {
    return fetch_job_key(org, job, kind);
  }));
  co_return std::move(held.key);
}

// A key that moves to another hour between the two reads is read again.
asio::awaitable<Result<HeldKey>> LayeredEnvelope::fetch_job_key(OrgId org, JobId job, KeyClass kind) {
  std::optional<store::Hour> before;
  for (;;) {
    SP_CO_TRY(const auto rows, co_await job_keys_.find(org, job));
    const auto row = std::ranges::find(rows, to_string(kind),
                                       [](const store::JobKey& key) { return std::string_view(key.lane.kind); });
    if (row == rows.end()) {
      co_return fail(Errc::not_found, fmt::format("the {} of this job have no key: their retention has ended",
                                                  kind == KeyClass::logs ? "logs" : "data"));
    }
    auto above = co_await keys_.hour(org, row->lane, row->hour);
    if (!above && above.error().code == Errc::not_found && before != row->hour) {
      before = row->hour;
      continue;
    }
    if (!above) co_return std::unexpected(std::move(above).error());
    auto key = unwrap_key(keys_.memory(), {above->key->bytes()}, job_key_name(org, job, row->lane), row->wrapped);
    if (!key) co_return in_context("the key of job " + job.value, std::move(key).error());
    co_return HeldKey{std::make_shared<const LockedKey>(*std::move(key)), above->until};
  }
}

}  // namespace sallyport::keys
