#pragma once

#include "tests/support/async_test.h"
#include "tests/unit/relay/api/world.h"

#include <memory>
#include <string>
#include <vector>

// A job as its agent reports it, and those who watch it through the API.
namespace sallyport::test {

struct Running {
  Tenant tenant;
  RecipeId recipe;
  AgentId agent;
  JobId job;
};

// A job that an agent holds under epoch 1.
asio::awaitable<Running> run_job(World& world, Tenant tenant);

asio::awaitable<Bytes> seal(World& world, keys::RecordIdentity identity, std::string text);
asio::awaitable<void> report(World& world, Running run, std::uint64_t seq, decltype(store::HistoryEntry::what) what);
// The step "rows" begins and succeeds: two reports.
asio::awaitable<void> report_step(World& world, Running run, std::uint64_t seq, std::string output);
// A `foreach` over so many items, half of them with an output of 1 KiB.
asio::awaitable<void> run_items(World& world, Running run, std::size_t count);

asio::awaitable<std::unique_ptr<http::EventSource>> watch(World& world, Running run, std::string token,
                                                          std::string last = "");
// Plays a live view until `count` events have come or it ends.
asio::awaitable<std::vector<http::ServerEvent>> collect(http::EventSource& source, std::size_t count);
std::string names_of(const std::vector<http::ServerEvent>& events);  // "job step.started#2 "

}  // namespace sallyport::test
