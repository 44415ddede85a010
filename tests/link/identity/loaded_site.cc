#include "tests/link/identity/loaded_site.h"

#include "shared/async/timeout.h"
#include "shared/crypto/new_id.h"

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <unistd.h>

namespace sallyport::test {
namespace asio = boost::asio;
using namespace std::chrono_literals;
namespace {

constexpr auto kAsValue = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kBlock = 64u << 10;

policy::Policy policy_for(std::uint16_t port) {
  const auto text = fmt::format("version: 1\ntunnels:\n  - {{target: \"127.0.0.1:{}\"}}\n", port);
  auto policy = policy::parse_policy(text, "policy.yaml", "/etc/sallyport");
  if (!policy) throw std::runtime_error(to_string(policy.error().front()));
  return *std::move(policy);
}

void with_links_and_tunnels(agent::SupervisorOptions& options) {
  auto& session = options.session;
  session.self.capabilities.emplace_back(link::kLinks);
  session.self.capabilities.emplace_back(tunnel::kCapability);
  session.serves = tunnel::services();
  options.second = 0ms;
}

void end_direction(tcp::socket& socket) {
  boost::system::error_code gone;  // the other side may have reset it
  socket.shutdown(tcp::socket::shutdown_send, gone);
}

// All of 127.0.0.0/8 is this machine: programs that run beside each other take different addresses.
std::string own_address() { return fmt::format("127.{}.{}.3", 1 + ::getpid() / 250 % 250, 1 + ::getpid() % 250); }

}  // namespace

LoadedSite::LoadedSite(asio::any_io_executor loop)
    : rig(loop, {.drain = 2s, .session = {.links = 2}}),
      orders(rig),
      bench(loop),
      carrier(loop, {rig.world.stores.tunnels, rig.links, rig.world.clock, rig.log, rig.metrics}),
      target_(loop, {asio::ip::address_v4::loopback(), 0}),
      policy_(policy_for(target_.local_endpoint().port())),
      log_(rig.lines, rig.world.clock, LogLevel::debug),
      server_(loop, policy_, log_),
      tasks_(loop, [](const auto& task, const auto& why) { FAIL_CHECK("a fault in " << task << ": " << why); }),
      transfer_(std::make_unique<TaskGroup>(
          loop, [](const auto& task, const auto& why) { FAIL_CHECK("a fault in " << task << ": " << why); })) {}

void LoadedSite::Flow::add(std::span<const std::byte> bytes_of_it) {
  hash.update(bytes_of_it);
  bytes += bytes_of_it.size();
}

awaitable<void> LoadedSite::begin() {
  co_await rig.start();
  co_await orders.prepare();
  must(identities.install(co_await rig.enrolled()));
  who = must(identities.load()).id.agent;
  co_await bench.open();
  agent = std::make_unique<WorkingAgent>(rig, bench, identities, rig.endpoint(), with_links_and_tunnels);
  agent->beside = [this](link::Session& session) { return server_.serve(session); };
  agent->start();
  must(co_await carrier.load());
  tasks_.spawn("carrier", carrier.run());
  const bool linked = co_await rig.until([&] { return agent->status().links == 2 && peers().size() == 2; });
  REQUIRE(linked);
  peers_ = peers();
  tunnel_ = co_await open_tunnel();
  client_.emplace(rig.loop);
  const tcp::endpoint entrance(asio::ip::make_address(tunnel_.listener->address), tunnel_.listener->port);
  const auto [bad] = co_await client_->async_connect(entrance, kAsValue);
  REQUIRE_FALSE(bad);
  transfer_->spawn("target", give_back());
  transfer_->spawn("send", send_on());
  transfer_->spawn("take", take_back());
  co_await carried(1u << 20);
}

awaitable<store::Tunnel> LoadedSite::open_tunnel() {
  store::Tunnel tunnel{.id = crypto::new_id<TunnelId>(rig.world.clock),
                       .org = rig.tenant.org,
                       .name = "bulk",
                       .group = rig.tenant.group,
                       .host = "127.0.0.1",
                       .port = target_.local_endpoint().port(),
                       .listener = domain::TunnelListener{own_address(), 7'000},
                       .networks = {"127.0.0.0/8"},
                       .created_by = rig.tenant.owner,
                       .created_at = rig.world.clock.wall()};
  must(co_await rig.world.stores.tunnels.add(rig.tenant.org, tunnel));
  must(carrier.put(tunnel));
  co_return tunnel;
}

awaitable<void> LoadedSite::give_back() {
  auto [bad, socket] = co_await target_.async_accept(kAsValue);
  if (bad) co_return;
  Bytes block(kBlock);
  for (;;) {
    const auto [end, size] = co_await socket.async_read_some(asio::buffer(block), kAsValue);
    if (end) break;
    const auto [broken, written] = co_await asio::async_write(socket, asio::buffer(block, size), kAsValue);
    if (broken) break;
  }
  end_direction(socket);
}

awaitable<void> LoadedSite::send_on() {
  while (!enough_) {
    const auto block = crypto::random_bytes(kBlock);
    const auto [bad, size] = co_await asio::async_write(*client_, asio::buffer(block), kAsValue);
    sent_.add(std::span(block).first(size));
    if (bad) {
      sent_.problem = bad.message();
      co_return;
    }
  }
  end_direction(*client_);
}

awaitable<void> LoadedSite::take_back() {
  Bytes block(kBlock);
  for (;;) {
    const auto [bad, size] = co_await client_->async_read_some(asio::buffer(block), kAsValue);
    got_.add(std::span(block).first(size));
    if (bad && bad != asio::error::eof) got_.problem = bad.message();
    if (bad) co_return;
  }
}

awaitable<void> LoadedSite::carried(std::size_t more) {
  const auto enough = got_.bytes + more;
  const bool came = co_await rig.until([&] { return got_.bytes >= enough || !got_.problem.empty(); });
  CHECK(came);
}

awaitable<std::uint32_t> LoadedSite::generation() {
  const auto row = must(co_await rig.world.stores.agents.find(rig.tenant.org, who));
  co_return row.generation;
}

std::set<std::string> LoadedSite::peers() const {
  std::set<std::string> found;
  const auto state = rig.links.link_of(rig.tenant.org, who);
  if (!state) return found;
  for (const auto& one : state->each) found.insert(one.peer);
  return found;
}

awaitable<std::string> LoadedSite::end_of_connection() {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  for (;;) {
    const auto page = must(co_await rig.world.stores.tunnels.list_connections(rig.tenant.org, tunnel_.id, {}));
    if (page.items.size() == 1 && !page.items[0].end.empty()) co_return page.items[0].end;
    if (std::chrono::steady_clock::now() > deadline) co_return "never";
    co_await sleep_for(2ms);
  }
}

awaitable<std::vector<std::string>> LoadedSite::losses() {
  std::vector<std::string> lost;
  const auto note = [&](bool wrong, std::string what) {
    if (wrong) lost.push_back(std::move(what));
  };
  enough_ = true;
  co_await transfer_->join();
  for (const auto* flow : {&sent_, &got_}) note(!flow->problem.empty(), "the client: " + flow->problem);
  note(sent_.bytes != got_.bytes || sent_.hash.finish() != got_.hash.finish(),
       "the bytes are not those that were sent");
  const auto end = co_await end_of_connection();
  note(end != "finished", "the connection ended: " + end);
  note(rig.lines.has({"link.lost"}), "a link was lost");
  note(peers() != peers_, "the links are not those of the beginning");
  note(agent->links != 1, "the jobs moved to another link");
  const bool done = co_await orders.all_succeeded();
  note(!done, "a job did not succeed");
  note(!each_step_once(bench, orders), "a step did not run exactly once");
  co_return lost;
}

awaitable<void> LoadedSite::end() {
  tasks_.stop();
  co_await tasks_.join();
  co_await agent->finish();
  co_await bench.close();
  co_await rig.finish();
}

}  // namespace sallyport::test
