#pragma once

#include <string_view>

namespace sallyport::store {

inline constexpr std::string_view kSqlite0001Initial = R"sql(

create table organisations (
  id         text    not null primary key,
  name       text    not null unique,
  created_at integer not null
) strict, without rowid;

create table users (
  org        text    not null references organisations (id),
  id         text    not null,
  name       text    not null,
  email      text    not null collate nocase,
  role       text    not null check (role in ('owner', 'editor', 'viewer')),
  platform   text    not null check (platform in ('none', 'admin')),
  created_at integer not null,
  primary key (org, id),
  unique (org, email)
) strict, without rowid;

create table api_tokens (
  id           text    not null primary key,
  org          text    not null,
  user         text    not null,
  name         text    not null,
  secret_hash  blob    not null check (length(secret_hash) = 32),
  scopes       integer not null,
  created_at   integer not null,
  expires_at   integer,
  revoked_at   integer,
  last_used_at integer,
  foreign key (org, user) references users (org, id) on delete cascade
) strict, without rowid;
create index api_tokens_by_org on api_tokens (org, id);
create index api_tokens_by_user on api_tokens (org, user);

create table agent_groups (
  org        text    not null references organisations (id),
  id         text    not null,
  name       text    not null,
  created_at integer not null,
  primary key (org, id),
  unique (org, name)
) strict, without rowid;

create table agents (
  org          text    not null,
  id           text    not null,
  group_id     text    not null,
  name         text    not null,
  hostname     text    not null,
  software     text    not null,
  status       text    not null check (status in ('active', 'revoked')),
  generation   integer not null check (generation > 0),
  enrolled_at  integer not null,
  last_seen_at integer,
  primary key (org, id),
  foreign key (org, group_id) references agent_groups (org, id)
) strict, without rowid;
create index agents_by_group on agents (org, group_id, id);

create table certificates (
  org        text    not null,
  serial     text    not null,
  agent      text    not null,
  generation integer not null check (generation > 0),
  issued_at  integer not null,
  not_after  integer not null,
  revoked_at integer,
  primary key (org, serial),
  unique (org, agent, generation),
  foreign key (org, agent) references agents (org, id)
) strict, without rowid;
create index certificates_revoked on certificates (not_after) where revoked_at is not null;

create table issuing_cas (
  org                text    not null primary key references organisations (id),
  certificate_der    blob    not null,
  sealed_private_key blob    not null,
  created_at         integer not null,
  not_after          integer not null
) strict, without rowid;

create table enrolment_tokens (
  id            text    not null primary key,
  org           text    not null,
  group_id      text    not null,
  sealed_secret blob    not null,
  max_uses      integer not null check (max_uses > 0),
  uses          integer not null check (uses between 0 and max_uses),
  created_by    text    not null,
  created_at    integer not null,
  expires_at    integer not null,
  revoked_at    integer,
  foreign key (org, group_id) references agent_groups (org, id)
) strict, without rowid;
create index enrolment_tokens_by_org on enrolment_tokens (org, id);
create index enrolment_tokens_by_group on enrolment_tokens (org, group_id);

create table connections (
  org        text not null,
  agent      text not null,
  name       text not null,
  kind       text not null,
  health     text not null check (health in ('unknown', 'healthy', 'failing')),
  detail     text not null,
  checked_at integer,
  primary key (org, agent, name),
  foreign key (org, agent) references agents (org, id)
) strict, without rowid;

create table recipes (
  org            text    not null references organisations (id),
  id             text    not null,
  name           text    not null,
  latest_version integer not null,
  active_version integer,
  created_at     integer not null,
  removed_at     integer,  -- it stays for the history of its jobs, and its name is free
  primary key (org, id),
  check (removed_at is null or active_version is null)
) strict, without rowid;
create unique index recipes_by_name on recipes (org, name) where removed_at is null;

create table recipe_versions (
  org            text    not null,
  recipe         text    not null,
  version        integer not null check (version > 0),
  run_on         text    not null,
  trigger_kind   text    not null,
  sha256         blob    not null check (length(sha256) = 32),
  created_by     text    not null,
  created_at     integer not null,
  source_yaml    text    not null,
  canonical_json text    not null,
  primary key (org, recipe, version),
  foreign key (org, recipe) references recipes (org, id)
) strict;
create trigger recipe_versions_are_immutable before update on recipe_versions
begin
  select raise(abort, 'a recipe version is immutable');
end;

create table assignments (
  org     text    not null,
  recipe  text    not null,
  version integer not null,
  agent   text    not null,
  primary key (org, recipe),
  foreign key (org, recipe, version) references recipe_versions (org, recipe, version),
  foreign key (org, agent) references agents (org, id)
) strict, without rowid;
create index assignments_by_agent on assignments (org, agent, recipe);

create table past_assignments (  -- every agent that ever watched the recipe's trigger, those of now included
  org    text not null,
  recipe text not null,
  agent  text not null,
  primary key (org, recipe, agent),
  foreign key (org, agent) references agents (org, id)
) strict, without rowid;

create table assignment_revisions (
  org      text    not null,
  agent    text    not null,
  revision integer not null,
  primary key (org, agent),
  foreign key (org, agent) references agents (org, id)
) strict, without rowid;

create table jobs (
  org                 text    not null,
  id                  text    not null,
  recipe              text    not null,
  version             integer not null,
  group_id            text    not null,
  agent               text,
  state               text    not null check (state in ('queued', 'dispatched', 'running', 'succeeded', 'failed',
                                                        'cancelled', 'timed_out', 'in_doubt', 'dead')),
  trigger_kind        text    not null,
  event_key           text    not null,
  priority            integer not null,
  lease_epoch         integer not null,
  lease_until         integer,
  run_number          integer not null,
  held_before         integer not null default 0,
  rerun_of            text,
  concurrency_key     text    not null,
  concurrency_limit   integer not null,
  cancel_requested_at integer,
  created_at          integer not null,
  dispatched_at       integer,
  started_at          integer,
  finished_at         integer,
  error_class         text    not null,
  error_message       text    not null,
  failed_step         text    not null,
  primary key (org, id),
  foreign key (org, recipe, version) references recipe_versions (org, recipe, version),
  foreign key (org, group_id) references agent_groups (org, id)
) strict, without rowid;
create index jobs_queued on jobs (org, created_at, id) where state = 'queued';
create index jobs_waiting on jobs (group_id, created_at) where state = 'queued';
create index jobs_free on jobs (group_id, priority desc, id) where state = 'queued' and concurrency_limit = 0;
create index jobs_in_line on jobs (org, recipe, concurrency_key, group_id, concurrency_limit, priority desc, id)
  where state = 'queued' and concurrency_limit <> 0;
create index jobs_active on jobs (org, id, agent) where state in ('dispatched', 'running');
create index jobs_concurrent on jobs (org, recipe, concurrency_key) where state in ('dispatched', 'running');
create index jobs_by_age on jobs (org, created_at, id);
create index jobs_finished on jobs (org, state, created_at, id) where finished_at is not null;
create index jobs_by_recipe on jobs (org, recipe, created_at, id);
create index jobs_by_agent on jobs (org, agent, created_at, id) where agent is not null;

-- How many jobs wait for each agent group, kept by every change of a job's state.
create table queue_lengths (
  org      text    not null,
  group_id text    not null,
  queued   integer not null check (queued >= 0),
  primary key (org, group_id)
) strict, without rowid;

-- One line of queued jobs that share a concurrency limit: its best job, and how many of it may start now. A line
-- without a job has no row. Whoever chooses what starts next looks at the heads only, however long the lines are.
create table job_lines (
  org               text    not null,
  recipe            text    not null,
  concurrency_key   text    not null,
  group_id          text    not null,
  concurrency_limit integer not null,
  head_priority     integer not null,
  head              text    not null,
  room              integer not null,
  primary key (org, recipe, concurrency_key, group_id, concurrency_limit)
) strict, without rowid;
create index job_lines_open on job_lines (group_id, head_priority desc, head) where room > 0;

create table job_triggers (
  org            text not null,
  job            text not null,
  sealed_trigger blob not null,
  primary key (org, job),
  foreign key (org, job) references jobs (org, id)
) strict;

-- One row per event that was ever accepted: outlives its job, so that a late repeat is still known.
create table job_events (
  org        text    not null,
  recipe     text    not null,
  event_key  text    not null,
  job        text    not null,
  created_at integer not null,
  primary key (org, recipe, event_key)
) strict, without rowid;

create table steps (
  org           text    not null,
  job           text    not null,
  path          text    not null,
  attempt       integer not null,
  first_seq     integer not null,
  status        text    not null check (status in ('running', 'succeeded', 'failed', 'skipped', 'in_doubt', 'cancelled')),
  uses          text    not null,
  started_at    integer,
  finished_at   integer,
  retry_at      integer,
  error_class   text    not null,
  message       text    not null,
  sealed_input  blob,
  sealed_output blob,
  primary key (org, job, path, attempt),
  foreign key (org, job) references jobs (org, id)
) strict;

create table history (
  org         text    not null,
  job         text    not null,
  seq         integer not null,
  epoch       integer not null,
  job_seq     integer not null,
  at          integer not null,
  kind        text    not null,
  path        text    not null,
  attempt     integer not null,
  status      text    not null,
  sealed_text blob,
  primary key (org, job, seq),
  unique (org, job, epoch, job_seq),
  foreign key (org, job) references jobs (org, id)
) strict;

create table idempotency_keys (
  org          text    not null references organisations (id),
  key          text    not null,
  request_hash blob    not null,
  claimed_at   integer not null,
  status       integer,
  sealed_body  blob,
  job          text,
  primary key (org, key)
) strict;
create index idempotency_keys_by_age on idempotency_keys (claimed_at);

create table audit_rows (
  org           text    not null,
  seq           integer not null check (seq > 0),
  id            text    not null,
  at            integer not null,
  json          text    not null,
  previous_hash blob    not null check (length(previous_hash) = 32),
  hash          blob    not null check (length(hash) = 32),
  action        text generated always as (json ->> '$.action') virtual,
  primary key (org, seq)
) strict;
create index audit_rows_by_age on audit_rows (org, at, seq);
create index audit_rows_by_action on audit_rows (org, action, at, seq);
create trigger audit_rows_are_not_edited before update on audit_rows
begin
  select raise(abort, 'the audit ledger is append-only');
end;
create trigger audit_rows_are_not_deleted before delete on audit_rows
begin
  select raise(abort, 'the audit ledger is append-only');
end;

-- The end of each chain, kept apart from it: a ledger whose last rows were cut off does not fit its head.
create table audit_heads (
  org  text    not null primary key,
  seq  integer not null,
  hash blob    not null
) strict, without rowid;

)sql";

}  // namespace sallyport::store
