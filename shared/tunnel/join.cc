#include "shared/tunnel/join.h"

#include "shared/base/text.h"
#include "shared/tunnel/alarm.h"
#include "shared/tunnel/pacer.h"

#include <fmt/format.h>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <span>
#include <utility>

namespace sallyport::tunnel {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kTurn = 64u << 10;       // after which others on the loop have theirs
constexpr std::chrono::seconds kLastBytes{5};  // for what came before a reset, when the reader of it is slow

SteadyTime steady_now() { return std::chrono::steady_clock::now(); }

std::size_t put(std::span<const std::byte> bytes, const mux::WriteRoom& room) {
  const auto all = bytes.size();
  for (const auto part : room.parts) {
    const auto count = std::min(part.size(), bytes.size());
    std::ranges::copy(bytes.first(count), part.begin());
    bytes = bytes.subspan(count);
  }
  return all - bytes.size();
}

// One connection. Both channels and the alarm call back here; a callback under way finds it alive, because its end is
// told from the loop, and does nothing once it is over.
class Join final : public Carriage, public std::enable_shared_from_this<Join> {
 public:
  Join(const asio::any_io_executor& on, link::Channel& client, link::Channel& target, Flow& flow, SpliceLimits limits,
       OnSpliceEnd on_end)
      : executor_(on),
        limits_(limits),
        in_(*this, out_, client, target, flow.to_channel, SpliceEnd::socket_broken),
        out_(*this, in_, target, client, flow.from_channel, SpliceEnd::channel_broken),
        on_end_(std::move(on_end)) {}

  void begin();
  void stop() override { end(SpliceEnd::stopped, "it was stopped on this side"); }
  // A fault ends this connection, and no other.
  template <class Act>
  auto fenced(Act act) -> decltype(act()) {
    try {
      return act();
    } catch (const std::exception& fault) {
      end(SpliceEnd::failed, fault.what());
    }
    return decltype(act())();
  }

 private:
  // One direction: from whom, to whom, and how far it is. Hears what the channel says that it comes from.
  struct Way final : link::ChannelWatcher {
    Way(Join& of, Way& other, link::Channel& source, link::Channel& sink, std::uint64_t& count, SpliceEnd loss)
        : join(of), back(other), from(source), to(sink), moved(count), lost(loss), pace(of.limits_.bytes_per_second) {}

    std::size_t on_bytes(std::span<const std::span<const std::byte>> bytes) override {
      return join.fenced([&] { return join.take(*this, bytes); });
    }
    void on_readable() override {
      join.fenced([&] { join.move(*this); });
    }
    void on_writable() override {
      join.fenced([&] { join.move(back); });
    }
    void on_broken() override {
      join.fenced([&] { join.broke(*this); });
    }

    Join& join;
    Way& back;
    link::Channel& from;
    link::Channel& to;
    std::uint64_t& moved;
    SpliceEnd lost;  // what a reset by `from` comes to
    Pacer pace;
    SteadyTime held_until{};                    // by the pace
    SteadyTime last_until = SteadyTime::max();  // what came before the reset of `from` has to be through
    bool over = false;
    bool posted = false;  // goes on when others have had their turn
  };

  bool is_idle(const Way& way) const { return !over_ && !way.over && !way.posted && way.held_until <= steady_now(); }
  void move(Way& way);
  std::size_t take(Way& way, std::span<const std::span<const std::byte>> pieces);
  std::size_t pass_on(Way& way, std::span<const std::byte> bytes);
  bool holds(Way& way, std::size_t count);
  void go_on_later(Way& way);

  void broke(Way& way);
  void failed(const Way& way, const Error& why);
  void ended(Way& way);
  void end(SpliceEnd why, std::string detail, std::optional<mux::ResetCode> code = std::nullopt);
  void close_channels();

  SteadyTime idle_until() const { return limits_.idle.count() == 0 ? SteadyTime::max() : last_byte_ + limits_.idle; }
  SteadyTime next_look(SteadyTime now) const;
  void look_in_time(SteadyTime now);
  void look_at_time(SteadyTime now);

  asio::any_io_executor executor_;
  const SpliceLimits limits_;
  Way in_, out_;
  SteadyTime last_byte_ = steady_now();
  Alarm alarm_;
  bool over_ = false;
  SpliceOutcome outcome_;  // once it is over
  OnSpliceEnd on_end_;
};

void Join::begin() {
  for (auto* way : {&in_, &out_}) way->from.watch(way);
  for (auto* way : {&in_, &out_}) {
    if (way->from.broken()) broke(*way);
    move(*way);
  }
  look_in_time(steady_now());
}

void Join::move(Way& way) {
  for (std::size_t moved = 0; is_idle(way);) {
    const auto bytes = way.from.peek();
    if (!bytes) return failed(way, bytes.error());
    if (!*bytes) return;  // on_bytes() and on_readable() go on
    if ((*bytes)->empty()) return ended(way);
    const auto count = pass_on(way, (*bytes)->first(way.pace.chunk((*bytes)->size())));
    if (count == 0) return;  // on_writable() goes on, or what has become of `to` is told by the way back
    way.from.consume(count);
    moved += count;
    if (holds(way, count)) return;
    if (moved >= kTurn) return go_on_later(way);
  }
}

std::size_t Join::take(Way& way, std::span<const std::span<const std::byte>> pieces) {
  if (!is_idle(way)) return 0;
  if (way.pace.limits()) {
    go_on_later(way);
    return 0;
  }
  std::size_t taken = 0;
  for (const auto bytes : pieces) {
    const auto count = pass_on(way, bytes);
    taken += count;
    if (count < bytes.size()) break;
  }
  return taken;
}

// As much as there is room for.
std::size_t Join::pass_on(Way& way, std::span<const std::byte> bytes) {
  std::size_t passed = 0;
  while (passed < bytes.size()) {
    const auto room = way.to.prepare(bytes.size() - passed);
    if (!room || room->size == 0) break;
    const auto count = put(bytes.subspan(passed), *room);
    way.to.commit(count);
    passed += count;
  }
  if (passed > 0) last_byte_ = steady_now();
  way.moved += passed;
  return passed;
}

bool Join::holds(Way& way, std::size_t count) {
  if (!way.pace.limits()) return false;
  way.held_until = way.pace.spend(count, last_byte_);
  if (way.held_until <= last_byte_) return false;
  look_in_time(last_byte_);
  return true;
}

void Join::go_on_later(Way& way) {
  way.posted = true;
  asio::post(executor_, [self = shared_from_this(), &way] {
    way.posted = false;
    self->fenced([&] { self->move(way); });
  });
}

// What came before it is still passed on.
void Join::broke(Way& way) {
  if (over_) return;
  if (way.over) return failed(way, way.from.broken().value_or(Error{}));
  way.last_until = std::min(way.last_until, steady_now() + kLastBytes);
  move(way);
  look_in_time(steady_now());
}

void Join::failed(const Way& way, const Error& why) {
  if (auto reset = way.from.peer_reset()) return end(way.lost, std::move(reset->text), reset->code);
  end(way.lost, why.message);
}

void Join::ended(Way& way) {
  if (!way.to.finish()) return;  // broken: the way back tells why
  way.over = true;
  if (in_.over && out_.over) return end(SpliceEnd::finished, "");
  if (const auto why = way.from.broken()) failed(way, *why);  // it had to come after these bytes
}

// Whatever is not over by `now`: what is, has been looked at.
SteadyTime Join::next_look(SteadyTime now) const {
  if (over_) return SteadyTime::max();
  auto at = idle_until();
  for (const auto* way : {&in_, &out_}) {
    at = std::min(at, way->last_until);
    if (way->held_until > now) at = std::min(at, way->held_until);
  }
  return at;
}

// Sees to it that look_at_time() is called when there is something to look at.
void Join::look_in_time(SteadyTime now) {
  alarm_.set(executor_, next_look(now), [self = shared_from_this()] {
    self->fenced([&] {
      const auto at = steady_now();
      self->look_at_time(at);
      self->look_in_time(at);
    });
  });
}

void Join::look_at_time(SteadyTime now) {
  if (now >= idle_until()) return end(SpliceEnd::idle, fmt::format("no byte for {}", format_duration(limits_.idle)));
  for (auto* way : {&in_, &out_}) {
    if (now >= way->last_until) return failed(*way, way->from.broken().value_or(Error{}));
  }
  for (auto* way : {&in_, &out_}) move(*way);
}

void Join::end(SpliceEnd why, std::string detail, std::optional<mux::ResetCode> code) {
  if (std::exchange(over_, true)) return;
  outcome_ = {why, code, std::move(detail)};
  alarm_.drop();
  close_channels();
  asio::post(executor_, [self = shared_from_this()] { self->on_end_(std::move(self->outcome_)); });
}

// What was handed to a channel before its other end broke off is on its way still.
void Join::close_channels() {
  using enum mux::ResetCode;
  for (auto* way : {&in_, &out_}) way->from.watch(nullptr);
  switch (outcome_.end) {
    case SpliceEnd::finished: return;
    case SpliceEnd::socket_broken: return in_.to.reset(broken, outcome_.detail, mux::Unsent::send);
    case SpliceEnd::channel_broken:
      return out_.to.reset(outcome_.code.value_or(cancelled), outcome_.detail, mux::Unsent::send);
    case SpliceEnd::failed:
    case SpliceEnd::idle:
    case SpliceEnd::stopped: break;
  }
  const auto code = outcome_.end == SpliceEnd::failed ? internal : cancelled;
  for (auto* way : {&in_, &out_}) way->from.reset(code, outcome_.detail);
}

}  // namespace

std::shared_ptr<Carriage> begin_join(const asio::any_io_executor& executor, link::Channel& client,
                                     link::Channel& target, Flow& flow, SpliceLimits limits, OnSpliceEnd on_end) {
  auto join = std::make_shared<Join>(executor, client, target, flow, limits, std::move(on_end));
  join->fenced([&] { join->begin(); });
  return join;
}

}  // namespace sallyport::tunnel
