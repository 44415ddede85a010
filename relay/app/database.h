#pragma once

#include "relay/app/settings.h"
#include "relay/store/sqlite/sqlite_store.h"

#include <memory>

namespace sallyport::app {

// The database of a relay that was made before. An empty one in its place would be worse than none: every agent would
// be a stranger to it. unavailable: relay.db is missing or empty; nothing was made. Blocking.
Result<std::unique_ptr<store::SqliteStore>> open_database(const DataDirectory& data);

// unavailable: no organisation is in it, so `init` did not make it.
store::awaitable<Result<void>> check_inhabited(store::Organisations& organisations, DataDirectory data);

}  // namespace sallyport::app
