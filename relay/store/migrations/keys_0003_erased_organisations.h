#pragma once

#include <string_view>

namespace sallyport::store {

// Organisations that get no key any more, with how many they had.
inline constexpr std::string_view kKeys0003ErasedOrganisations = R"sql(

create table erased_organisations (
  org          text    not null primary key,
  versions     integer not null,
  lanes        integer not null,
  hours        integer not null,
  epoch_before integer not null,
  epoch_after  integer not null
) strict, without rowid;
create trigger the_erased_get_no_key before insert on tenant_keys
  when exists (select 1 from erased_organisations where org = new.org)
begin
  select raise(abort, 'the organisation is erased');
end;
create trigger the_erased_get_no_ratchet before insert on ratchets
  when exists (select 1 from erased_organisations where org = new.org)
begin
  select raise(abort, 'the organisation is erased');
end;

)sql";

}  // namespace sallyport::store
