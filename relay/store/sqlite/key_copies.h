#pragma once

#include "relay/store/key_copies.h"
#include "relay/store/sqlite/database.h"

#include <memory>

namespace sallyport::store::sqlite {

// On a thread of their own, with a connection of their own.
std::unique_ptr<KeyCopies> make_key_copies(Database source);

}  // namespace sallyport::store::sqlite
