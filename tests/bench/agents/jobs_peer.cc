#include "tests/bench/agents/jobs_peer.h"

#include "agent/runner/jobs_channel.h"
#include "shared/crypto/random.h"

#include <limits>

namespace sallyport::bench {
namespace asio = boost::asio;
namespace wire = runner::wire;
namespace {

constexpr std::uint32_t kSlots = 16;

std::uint64_t random_journal() {
  std::uint64_t id = 0;
  crypto::fill_random(std::as_writable_bytes(std::span(&id, 1)));
  return (id & std::numeric_limits<std::int64_t>::max()) | 1;
}

}  // namespace

JobsPeer::JobsPeer() : journal_(random_journal()) {}

asio::awaitable<void> JobsPeer::run(link::Session& session) {
  static_cast<void>(co_await work(session));
  if (!session.ended()) session.stop("the jobs channel ended");
}

asio::awaitable<Result<void>> JobsPeer::work(link::Session& session) {
  SP_CO_TRY(const link::Channel channel, session.open_channel(runner::kJobsPurpose));
  SP_CO_CHECK(co_await channel.send_message(wire::encode_holding(++holding_, {journal_, seq_}, {}, 0)));
  SP_CO_CHECK(co_await channel.send_message(wire::encode_ready(kSlots)));
  wire::Assembler parts;
  for (;;) {
    SP_CO_TRY(const auto message, co_await channel.receive_message());
    if (!message) co_return Result<void>();
    SP_CO_TRY(const auto whole, parts.take(*message));
    if (!whole) continue;
    if (const auto* dispatch = std::get_if<wire::Dispatch>(&*whole)) SP_CO_CHECK(co_await take(channel, *dispatch));
  }
}

asio::awaitable<Result<void>> JobsPeer::take(const link::Channel& channel, const wire::Dispatch& dispatch) {
  const auto& [job, epoch, length] = dispatch.lease;
  SP_CO_CHECK(co_await channel.send_message(
      wire::encode(wire::Answer{.job = job, .epoch = epoch, .accepted = true, .error_class = {}, .message = {}})));
  const auto now = std::chrono::time_point_cast<WallTime::duration>(std::chrono::system_clock::now());
  const runner::report::Body reports[] = {
      runner::report::JobStarted{dispatch.recipe, dispatch.recipe_version, {}, dispatch.event_key, {}},
      runner::report::JobFinished{"succeeded", {}, {}, {}}};
  std::uint64_t job_seq = 0;
  for (const auto& body : reports) {
    const journal::OutboxRow row{++seq_, job, epoch, ++job_seq, wire::encode_body(body, now)};
    SP_CO_CHECK(co_await channel.send_message(wire::encode(row)));
  }
  ++jobs_done_;
  co_return co_await channel.send_message(wire::encode_ready(kSlots));
}

}  // namespace sallyport::bench
