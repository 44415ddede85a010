#pragma once

#include "relay/keys/custodian.h"
#include "relay/keys/own_keys.h"
#include "tests/support/test_places.h"
#include "tests/unit/relay/keys/world.h"

namespace sallyport::test {

inline keys::OwnKeyOrder order_of(std::string name, std::string credentials = "") {
  return {"file", {{Value("name"), Value(std::move(name))}}, Secret::take(std::move(credentials))};
}

struct Change {
  OrgId org;
  keys::OwnKeys::Came came;
};

struct Attaching : KeysWorld {
  explicit Attaching(const asio::any_io_executor& executor)
      : KeysWorld(executor), executor_(executor), own(std::make_unique<keys::OwnKeys>(executor, parts(ring))) {}

  keys::OwnKeys::Parts parts(KeyRing& of) {
    return {of.store->keys(),
            of.hierarchy,
            places,
            clock,
            log,
            metrics,
            [this](OrgId org, keys::OwnKeys::Came came, std::string) -> awaitable<Result<void>> {
              if (leaves) own->leave(org);
              if (is_deaf) co_return fail(Errc::unavailable, "planted: the ledger cannot be written");
              changes.push_back({std::move(org), came});
              co_return Result<void>();
            }};
  }
  awaitable<void> later(std::chrono::seconds by) {
    clock.pass(by);
    co_await own->look();
  }
  std::uint32_t newest_own(const std::vector<store::KeyVersion>& versions) const {
    return versions.empty() ? 0 : versions.back().own;
  }

  asio::any_io_executor executor_;
  TestPlaces places;
  std::vector<Change> changes;
  bool is_deaf = false;
  bool leaves = false;  // erased while the ledger is written
  std::unique_ptr<keys::OwnKeys> own;
  keys::Custodian custodian{executor_,
                            {ring.store->keys(), provider, ring.hierarchy, *own,
                             [this] { return std::optional(clock.wall()); }, log, metrics}};
};

inline bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

inline bool reads(const std::string& data) { return data.starts_with("data of"); }

}  // namespace sallyport::test
