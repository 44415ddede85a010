#pragma once

#include "relay/store/store.h"
#include "tests/support/async_test.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <span>

// The contract suite of relay/store: every STORE_TEST_CASE runs once against every engine in engines(), in a world with
// two organisations that have the same things. What one does the other must not see.
namespace sallyport::test {

using boost::asio::awaitable;

class StoreEngine {
 public:
  virtual ~StoreEngine() = default;
  virtual store::Stores stores() = 0;
};

struct EngineFactory {
  const char* name;
  std::function<std::unique_ptr<StoreEngine>()> make;  // an empty database
};

std::span<const EngineFactory> engines();

// A folder that is removed with everything in it.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

inline WallTime at_ms(std::int64_t ms) { return from_unix_ms(1'700'000'000'000 + ms); }
inline Bytes bytes_of(std::string_view text) { return Bytes(as_bytes(text).begin(), as_bytes(text).end()); }

// The value, or a failed test that says why there is none.
template <class T>
T must(Result<T> result) {
  if (!result) FAIL(to_string(result.error().code) << ": " << result.error().message);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

// The error's code; a success fails the test.
template <class T>
Errc refusal(const Result<T>& result) {
  if (result) FAIL("it succeeded");
  return result.error().code;
}

// An organisation with one of each thing that others refer to.
struct Tenant {
  OrgId org;
  UserId owner;
  GroupId group;
  AgentId agent;
  RecipeId recipe;  // version 1 exists, and is not active
};

struct World {
  explicit World(std::unique_ptr<StoreEngine> with) : engine(std::move(with)), stores(engine->stores()) {}

  awaitable<void> furnish();
  awaitable<Tenant> settle(std::string name);  // makes one more organisation
  awaitable<store::Job> queue_job(Tenant tenant, std::string event_key = "");
  awaitable<store::Job> held_job(Tenant tenant);     // claimed by the tenant's agent under epoch 1
  awaitable<store::Job> running_job(Tenant tenant);  // the same, and started: one event is in its history

  // Ids count up, so that the order of making is the order of ids.
  template <class T>
  T id(std::string_view prefix) {
    return T(make_ulid(prefix, unix_ms(at_ms(++made)), IdEntropy{}));
  }
  store::NewJob new_job(const Tenant& tenant, std::string event_key = "");

  std::unique_ptr<StoreEngine> engine;
  store::Stores stores;
  Tenant ours;
  Tenant theirs;
  std::int64_t made = 0;
};

void run_store_test(awaitable<void> (*body)(World&));

}  // namespace sallyport::test

// STORE_TEST_CASE("what holds", "[store]") { co_await world.stores. ...; }
#define SP_STORE_TEST_(function, ...)                                        \
  static sallyport::test::awaitable<void> function(sallyport::test::World&); \
  TEST_CASE(__VA_ARGS__) { sallyport::test::run_store_test(function); }      \
  static sallyport::test::awaitable<void> function([[maybe_unused]] sallyport::test::World& world)
#define STORE_TEST_CASE(...) SP_STORE_TEST_(INTERNAL_CATCH_UNIQUE_NAME(store_test_), __VA_ARGS__)
