#pragma once

#include "agent/platform/beneath.h"

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace sallyport::platform {

// A name in an open directory.
struct NamedAt {
  int directory;
  const std::string& name;
};

// errno of a call that changes names. Unsure where the request may have reached a server that then did not answer.
std::unexpected<ChangeError> change_failed(int code, std::string_view doing);

// An error before anything changed.
template <class T>
Change<T> unchanged(Result<T> result) {
  if (!result) return std::unexpected(ChangeError{std::move(result).error()});
  if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    return *std::move(result);
  }
}

// An error after the change has happened.
Change<> settled(Result<void> made_durable);

// fsync of a directory; one that its file system does not synchronise (CIFS, some FUSE ones) is as durable as it gets.
Result<void> sync_directory(int directory, std::string_view doing);

// Gives the file `from` the name `to`, both in the same file system, at once. Where nothing may be replaced and the
// file system cannot rename so (NFS, many FUSE ones), it makes a second name, which fails when there is one, and then
// takes the first away: killed in between, both names are there, and the same call again goes on. Errc::conflict when
// `to` exists and may not be replaced; `doing` is for the text. Durable only after sync_directory() of both.
Change<> rename_at(NamedAt from, NamedAt to, Replace replace, std::string_view doing);

}  // namespace sallyport::platform
