#pragma once

#include <string_view>

namespace sallyport::store {

// Texts of the audit ledger lie beside its rows, which hold their commitments: they can go, and the ledger verifies.
// What was erased, for whom; and that nothing is written of whom was erased: whatever part of the relay still holds it.
inline constexpr std::string_view kSqlite0016Erasure = R"sql(

create table audit_texts (
  org    text    not null,
  seq    integer not null,
  member text    not null,
  person text,
  salt   blob    not null check (length(salt) = 32),
  json   text    not null,
  primary key (org, seq, member),
  foreign key (org, seq) references audit_rows (org, seq) on delete cascade
) strict, without rowid;
create index audit_texts_by_person on audit_texts (person, org, seq, member) where person is not null;
create trigger audit_texts_are_not_edited before update on audit_texts
begin
  select raise(abort, 'the audit ledger is append-only');
end;

create table erasures (
  id          text    not null primary key,
  subject     text    not null check (subject in ('person', 'organisation')),
  org         text    not null,
  person      text    not null,  -- '' of an organisation
  asked_by    text    not null,
  asked_at    integer not null,
  keys        text    not null default '',
  finished_at integer,
  receipt     text    not null default ''
) strict, without rowid;
create unique index erasures_of_organisations on erasures (org) where subject = 'organisation';
create index erasures_of_people on erasures (person) where subject = 'person';
create index erasures_unfinished on erasures (id) where finished_at is null;

create table erased_rows (
  erasure    text    not null references erasures (id),
  table_name text    not null,
  amount     integer not null,
  primary key (erasure, table_name)
) strict, without rowid;

create table receipt_keys (
  id                 text    not null primary key,
  public_key         blob    not null check (length(public_key) = 32),
  sealed_private_key blob    not null,
  created_at         integer not null
) strict, without rowid;

create trigger nothing_is_told_of_the_erased before insert on audit_texts
  when exists (select 1 from erasures where person = new.person and subject = 'person')
    or exists (select 1 from erasures where org = new.org and subject = 'organisation')
begin
  select raise(ignore);
end;

create index tunnel_connections_by_user on tunnel_connections (org, user, tunnel, id) where user is not null;
drop trigger closed_tunnel_connections_are_immutable;
create trigger closed_tunnel_connections_are_immutable before update on tunnel_connections
  when old.closed_at is not null and not (new.source = '' and new.closed_at is old.closed_at
    and new.org is old.org and new.tunnel is old.tunnel and new.id is old.id and new.agent is old.agent
    and new.user is old.user and new.token is old.token and new.opened_at is old.opened_at
    and new.to_target is old.to_target and new.from_target is old.from_target
    and new.end_reason is old.end_reason and new.detail is old.detail
    and exists (select 1 from erasures where person = old.user and subject = 'person'))
begin
  select raise(abort, 'the record of a closed connection is immutable');
end;
create trigger the_erased_connect_from_nowhere after insert on tunnel_connections
  when new.source <> '' and exists (select 1 from erasures where person = new.user and subject = 'person')
begin
  update tunnel_connections set source = '' where org = new.org and tunnel = new.tunnel and id = new.id;
end;

)sql";

}  // namespace sallyport::store
