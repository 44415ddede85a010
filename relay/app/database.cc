#include "relay/app/database.h"

#include <fmt/format.h>

namespace sallyport::app {
namespace {

std::unexpected<Error> no_database(const DataDirectory& data, std::string_view what) {
  return fail(Errc::unavailable,
              fmt::format("{} {}, though {} is that of a relay: mount the volume it lies on, name the right directory "
                          "with --data, or restore relay.db from a backup",
                          data.database().string(), what, data.root.string()));
}

}  // namespace

Result<std::unique_ptr<store::SqliteStore>> open_database(const DataDirectory& data) {
  auto opened = store::SqliteStore::open({.file = data.database(), .when_absent = store::WhenAbsent::refuse});
  if (!opened && opened.error().code == Errc::not_found) return no_database(data, "is missing or empty");
  return opened;
}

store::awaitable<Result<void>> check_inhabited(store::Organisations& organisations, DataDirectory data) {
  SP_CO_TRY(const auto first, co_await organisations.list_all({.limit = 1}));
  if (first.items.empty()) co_return no_database(data, "holds no organisation");
  co_return Result<void>();
}

}  // namespace sallyport::app
