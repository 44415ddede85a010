#pragma once

#include "shared/base/result.h"

#include <boost/asio/awaitable.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

// Rules that hold for every port in this folder:
// - The organisation comes first; methods marked "system-wide" are the only exceptions and are never reachable by a
// tenant.
// - A row of another organisation and an absent row are the same Errc::not_found.
// - Errc::conflict: the name is taken, or the state changed underneath. Errc::exhausted: the engine's queue is full.
//   Errc::unavailable: the disk is full or broken, or the engine is closing; the message says what to do.
//   Errc::timed_out: a read that would keep the others waiting was given up. Errc::internal: the database is damaged.
// - A method that takes an AuditNote stores its entry in the transaction of the change, so that there is never one
//   without the other; every change that a caller of the API asks for has one.
// - A write is durable when its coroutine returns success. A write whose caller was cancelled still happens.
// - Callers are resumed on their own executor. Arguments are taken by value. Ports outlive every call.
namespace sallyport::store {

using boost::asio::awaitable;

inline constexpr std::size_t kMaxPage = 200;

// `after` is the `next` of the page before, opaque to callers; "" is the first page.
struct PageQuery {
  std::string after;
  std::size_t limit = 50;

  std::size_t bounded_limit(std::size_t most = kMaxPage) const { return std::clamp<std::size_t>(limit, 1, most); }
};

template <class T>
struct Page {
  std::vector<T> items;
  std::string next;  // "" on the last page
};

}  // namespace sallyport::store
