#include "relay/keys/trouble.h"

#include <utility>

namespace sallyport::keys {

void Trouble::tell(const Error& error) {
  if (error.code == Errc::cancelled || std::exchange(last_, error.message) == error.message) return;
  const auto code = to_string(error.code);
  if (org_.value.empty()) return log_.error(events_.failed, {{"code", code}, {"reason", error.message}});
  log_.error(events_.failed, {{"org", org_.value}, {"code", code}, {"reason", error.message}});
}

void Trouble::tell_works() {
  if (std::exchange(last_, {}).empty()) return;
  if (org_.value.empty()) return log_.info(events_.works);
  log_.info(events_.works, {{"org", org_.value}});
}

}  // namespace sallyport::keys
