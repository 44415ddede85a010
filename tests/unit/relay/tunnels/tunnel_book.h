#pragma once

#include "relay/store/tunnels.h"

#include <functional>
#include <map>

namespace sallyport::test {

// The store of tunnels in memory; what is asked through the API only is not there.
struct TunnelBook final : store::Tunnels {
  template <class T>
  using Answer = store::awaitable<Result<T>>;

  Answer<void> add(OrgId, store::Tunnel tunnel, store::AuditNote<>) override {
    tunnels.push_back(std::move(tunnel));
    co_return Result<void>();
  }
  Answer<store::Tunnel> find(OrgId, TunnelId) override { co_return absent(); }
  Answer<store::Page<store::Tunnel>> list(OrgId, store::TunnelFilter, store::PageQuery) override { co_return absent(); }
  Answer<store::Tunnel> set_status(OrgId, TunnelId, store::TunnelStatus, store::AuditNote<>) override {
    co_return absent();
  }
  Answer<store::ChangedTunnel> change(OrgId, TunnelId, store::TunnelChange,
                                      store::AuditNote<store::ChangedTunnel>) override {
    co_return absent();
  }
  Answer<void> remove(OrgId, TunnelId, WallTime, store::AuditNote<>) override { co_return absent(); }

  // Two a page.
  Answer<store::Page<store::Tunnel>> list_everywhere(store::PageQuery page) override {
    if (broken) co_return std::unexpected(*broken);
    const std::size_t from = page.after.empty() ? 0 : std::stoul(page.after);
    const std::size_t to = std::min(from + 2, tunnels.size());
    store::Page<store::Tunnel> found;
    for (std::size_t i = from; i < to; ++i) found.items.push_back(tunnels[i]);
    if (to < tunnels.size()) found.next = std::to_string(to);
    co_return found;
  }

  Answer<void> note_connections(OrgId org, std::vector<store::TunnelConnection> connections) override {
    if (broken) co_return std::unexpected(*broken);
    if (refuse) {
      if (auto why = refuse(connections)) co_return std::unexpected(*std::move(why));
    }
    batches.emplace_back(org, connections.size());
    for (auto& one : connections) {
      auto& kept = records[one.id];
      if (!kept.closed_at) kept = std::move(one);
    }
    co_return Result<void>();
  }
  Answer<store::Page<store::TunnelConnection>> list_connections(OrgId, TunnelId, store::PageQuery) override {
    co_return absent();
  }
  Answer<std::uint64_t> close_open_connections(WallTime now, std::string end, std::string detail) override {
    if (broken) co_return std::unexpected(*broken);
    std::uint64_t count = 0;
    for (auto& [id, record] : records) {
      if (record.closed_at) continue;
      record.closed_at = now;
      record.end = end;
      record.detail = detail;
      ++count;
    }
    co_return count;
  }

  std::size_t ended(std::string_view end) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(records, [&](const auto& one) { return one.second.end == end; }));
  }

  std::optional<Error> broken;
  std::function<std::optional<Error>(const std::vector<store::TunnelConnection>&)> refuse;  // of note_connections
  std::vector<store::Tunnel> tunnels;
  std::map<TunnelConnectionId, store::TunnelConnection> records;
  std::vector<std::pair<OrgId, std::size_t>> batches;

 private:
  static std::unexpected<Error> absent() { return fail(Errc::not_found, "no such tunnel"); }
};

}  // namespace sallyport::test
