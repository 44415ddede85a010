#include "relay/tunnels/session_places.h"

#include <fmt/format.h>

namespace sallyport::tunnels {

Result<SessionPlaces::Place> SessionPlaces::take(const OrgId& org, const UserId& user) {
  const auto known = books_->users.find({org, user});
  if (known != books_->users.end() && known->second >= books_->limits.of_user) {
    return fail(Errc::exhausted, fmt::format("you have {} sessions of tunnels open, the most of a user: close one",
                                             books_->limits.of_user));
  }
  if (!books_->shares.has_place_for(org.value)) {
    return fail(Errc::exhausted, fmt::format("this relay has no place for another session of your organisation ({} of "
                                             "{} are taken): close one, or try again later",
                                             books_->shares.taken(), books_->limits.all));
  }
  books_->shares.take(org.value);
  ++books_->users[{org, user}];
  return Place(nullptr, [books = books_, org, user](std::nullptr_t) {
    books->shares.give_back(org.value);
    const auto at = books->users.find({org, user});
    if (--at->second == 0) books->users.erase(at);
  });
}

}  // namespace sallyport::tunnels
