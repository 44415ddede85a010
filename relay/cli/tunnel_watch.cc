#include "relay/cli/tunnel_watch.h"

#include "relay/cli/requests.h"
#include "shared/base/json.h"
#include "shared/base/text.h"

#include <fmt/format.h>

#include <utility>

namespace sallyport::cli {
namespace {

std::string bytes_text(const Value& data) {
  return fmt::format("to target {}, from target {}", cell_of(data.find("to_target")),
                     cell_of(data.find("from_target")));
}

class TunnelFollower final : public Follower {
 public:
  TunnelFollower(const Context& context, Patience& patience) : context_(context), patience_(patience) {}

  Flow on_event(const ServerEvent& event) override {
    if (event.name == "closed") return Flow::stop;
    removed_ = event.name == "removed";
    if (auto data = parse_json(event.data)) show(event.name, *std::move(data));
    return context_.can_print() && !removed_ ? Flow::go_on : Flow::stop;
  }
  void on_bytes() override {
    patience_.heard(context_.clock->steady());
    told_lost_ = false;
  }
  void tell_lost(const Error& why) {
    if (!std::exchange(told_lost_, true)) context_.complain(why.message + "; trying again");
  }
  bool removed() const { return removed_; }

 private:
  // After a new connection the relay tells what stands again.
  void show(const std::string& name, Value data) {
    if (name == "figures" && std::exchange(last_, data) == data) return;
    context_.show_line(Value(ValueMap{{Value("event"), Value(name)}, {Value("data"), data}}), line_of(name, data));
  }

  std::string line_of(const std::string& name, const Value& data) const {
    const auto now = rfc3339(context_.clock->wall());
    if (name == "figures") {
      return fmt::format("{}  {} open, {}, {}\n", now, cell_of(data.find("open_connections")), bytes_text(data),
                         terminal_safe(text_of(data, "status")));
    }
    if (name == "more_ended") return fmt::format("{}  {} more ended\n", now, cell_of(data.find("count")));
    if (name == "removed") return fmt::format("{}  the tunnel was removed\n", now);
    const auto from = terminal_safe(text_of(data, "source"));
    if (name == "opened") return fmt::format("{}  opened from {}\n", now, from);
    return fmt::format("{}  ended from {}: {}, {}\n", now, from, terminal_safe(text_of(data, "end")), bytes_text(data));
  }

  const Context& context_;
  Patience& patience_;
  Value last_;
  bool told_lost_ = false;
  bool removed_ = false;
};

Result<void> follow(Client& client, const Context& context, const std::string& path) {
  Patience patience(context.patience, context.clock->steady());
  TunnelFollower follower(context, patience);
  for (;;) {
    const auto followed = client.follow(path, "", context.silence, follower);
    if (follower.removed() || !context.can_print()) return {};
    if (!followed && !may_pass(followed.error().code)) return std::unexpected(followed.error());
    const auto wait = patience.next_wait(context.clock->steady(), drawn_luck());
    if (!wait) return fail(Errc::unavailable, "the relay did not come back; gave up");
    if (!followed) follower.tell_lost(followed.error());
    context.pause(*wait);
  }
}

int watch(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, id_of(client, "tunnel", "tun_", "/v1/tunnels", arguments.positional(0)));
    return about(follow(client, context, fill("/v1/tunnels/{}/live", id)), "tunnel", arguments.positional(0));
  });
}

}  // namespace

Command watch_command() {
  return {"tunnel", "watch", {"TUNNEL"}, {}, "its connections and bytes as they change, until Ctrl-C", watch};
}

}  // namespace sallyport::cli
