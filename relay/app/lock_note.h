#pragma once

#include "relay/app/process_mark.h"

#include <optional>
#include <string>
#include <string_view>

namespace sallyport::app {

// Whether the holder of a data directory looks at the deployment anew on SIGHUP; others may end of it.
enum class Reload { not_offered, offered };

// What the lock's file says of its holder, on one line:
//   NUMBER STARTED NUMBER-SPACE BOOT reload|-
// Versions before this one wrote the number alone, and nothing behind it.
struct LockNote {
  ProcessMark holder;
  Reload reload = Reload::not_offered;

  bool operator==(const LockNote&) const = default;
};

std::string to_text(const LockNote& note);
// Nothing: not exactly such a line.
std::optional<LockNote> parse_lock_note(std::string_view text);

}  // namespace sallyport::app
