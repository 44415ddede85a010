#pragma once

#include <string_view>

namespace sallyport::store {

// Keys of their own that organisations have attached. A detached one leaves its version, which is never used again.
inline constexpr std::string_view kKeys0002OwnKeys = R"sql(

create table own_keys (
  org           text    not null primary key,
  version       integer not null check (version > 0),
  kind          text,
  place         text,
  credentials   blob,
  wrapped       blob,
  attached_at   integer,
  refused_since integer,
  reason        text    not null default '',
  check ((kind is null) = (wrapped is null) and (kind is null) = (place is null) and
         (kind is null) = (attached_at is null))
) strict, without rowid;

alter table tenant_keys add column own integer not null default 0 check (own >= 0);

)sql";

}  // namespace sallyport::store
