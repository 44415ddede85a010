#include "shared/mux/frame_writer.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <algorithm>

using namespace sallyport;
using namespace sallyport::mux;

namespace {

std::string describe(const Frame& frame) {
  switch (frame.type) {
    case FrameType::control: return "control";
    case FrameType::open: return fmt::format("open{}", frame.channel);
    case FrameType::data: return fmt::format("data{}:{}", frame.channel, frame.payload.size());
    case FrameType::credit: return fmt::format("credit{}:{}", frame.channel, read_u32(frame.payload.first<4>()));
    case FrameType::fin: return fmt::format("fin{}", frame.channel);
    case FrameType::reset: return fmt::format("reset{}", frame.channel);
  }
  return "?";
}

std::vector<std::string> frames_in(const Bytes& batch) {
  FrameReader reader;
  reader.feed(batch);
  std::vector<std::string> out;
  for (auto frame = reader.next(); frame && *frame; frame = reader.next()) out.push_back(describe(**frame));
  REQUIRE(reader.buffered() == 0);
  return out;
}

struct Blocks {
  BlockPool blocks;
};
struct Writer : Blocks, FrameWriter {
  Writer() : FrameWriter(blocks, {}) {}
};

// Each piece holds whole frames.
std::vector<std::string> take(FrameWriter& writer) {
  Batch batch;
  writer.take_batch(batch);
  REQUIRE(batch.size() <= WriterLimits{}.batch);
  std::vector<std::string> all;
  std::size_t size = 0;
  for (const auto piece : batch.pieces()) {
    for (auto& frame : frames_in(Bytes(piece.begin(), piece.end()))) all.push_back(std::move(frame));
    size += piece.size();
  }
  CHECK(size == batch.size());
  CHECK(joined(batch).size() == size);
  return all;
}

using Order = std::vector<std::string>;

}  // namespace

TEST_CASE("control goes first, then small channels, then bulk", "[mux]") {
  Writer writer;
  writer.open(1, "bulk");
  CHECK(writer.data(1, Bytes(40'000)) == 40'000);
  writer.open(3, "small");
  CHECK(writer.data(3, Bytes(100)) == 100);
  writer.fin(3);
  writer.credit(5, 1000);
  REQUIRE(writer.control(as_bytes("ping")));
  CHECK(take(writer) == Order{"control", "credit5:1000", "open1", "open3", "data3:100", "fin3", "data1:16376",
                              "data1:16376", "data1:7248"});
  CHECK(writer.empty());
  CHECK(writer.queued() == 0);
}

TEST_CASE("bulk channels take turns of four frames, also across batches", "[mux]") {
  Writer writer;
  for (const ChannelNumber channel : {1u, 3u, 5u}) CHECK(writer.data(channel, Bytes(100'000)) == 100'000);
  const std::string full = fmt::format(":{}", kDataPayload);
  Order order;
  while (!writer.empty()) {
    for (auto& frame : take(writer)) order.push_back(frame.substr(0, 5));
  }
  Order expected;
  for (const auto& [channel, frames] : std::vector<std::pair<std::string, std::size_t>>{
           {"data1", 4},
           {"data3", 4},
           {"data5", 4},  // of which the first batch holds 1 and 3
           {"data1", 3},
           {"data3", 1},  // what 1 leaves of the second is one frame: 3's turn
           {"data5", 3},
           {"data3", 2}})
    expected.insert(expected.end(), frames, channel);
  CHECK(order == expected);
}

TEST_CASE("a turn that a batch cuts short is over", "[mux]") {
  Writer writer;
  for (const ChannelNumber channel : {1u, 3u}) CHECK(writer.data(channel, Bytes(100'000)) == 100'000);
  REQUIRE(writer.control(Bytes(60'000)));
  REQUIRE(writer.control(Bytes(30'000)));
  const std::string full = fmt::format(":{}", kDataPayload);
  CHECK(take(writer) == Order{"control", "control", "data1" + full, "data1" + full});
  CHECK(take(writer).front() == "data3" + full);
}

TEST_CASE("small channels do not starve bulk, and bulk does not delay small ones", "[mux]") {
  Writer writer;
  REQUIRE(writer.data(1, Bytes(128u << 10)) == 128u << 10);
  take(writer);  // 1 now stands in the bulk row
  for (ChannelNumber channel = 3; channel < 203; channel += 2) REQUIRE(writer.data(channel, Bytes(2000)) == 2000);
  const auto order = take(writer);
  const auto bulk = std::count_if(order.begin(), order.end(), [](const auto& f) { return f.starts_with("data1:"); });
  CHECK(order.front() == "data3:2000");
  CHECK(bulk >= 1);
}

TEST_CASE("within a channel: open, data, fin, also over many batches", "[mux]") {
  Writer writer;
  writer.open(1, "jobs/1");
  std::size_t sent = writer.data(1, Bytes(400'000));
  CHECK(sent == WriterLimits{}.channel);
  Order order = take(writer);
  sent += writer.data(1, Bytes(400'000 - sent));
  writer.fin(1);
  while (!writer.empty()) {
    for (auto& frame : take(writer)) order.push_back(frame);
  }
  CHECK(order.front() == "open1");
  CHECK(order.back() == "fin1");
  CHECK(std::count(order.begin(), order.end(), "fin1") == 1);
}

TEST_CASE("what waits is bounded", "[mux]") {
  Writer writer;
  std::size_t taken = 0;
  for (ChannelNumber channel = 1; channel < 41; channel += 2) taken += writer.data(channel, Bytes(1u << 20));
  CHECK(taken == WriterLimits{}.queue);
  CHECK(writer.room() == 0);
  CHECK(writer.queued(1) == WriterLimits{}.channel);
  CHECK(writer.data(99, as_bytes("x")) == 0);
  take(writer);
  CHECK(writer.room() > 60'000);

  Result<void> outcome;
  int messages = 0;
  while ((outcome = writer.control(Bytes(10'000)))) ++messages;
  CHECK(outcome.error().code == Errc::exhausted);
  CHECK(messages == 26);
}

TEST_CASE("a control message that cannot be a frame is refused", "[mux]") {
  Writer writer;
  CHECK(writer.control({}).error().code == Errc::too_large);
  CHECK(writer.control(Bytes(kMaxPayload + 1)).error().code == Errc::too_large);
  CHECK(writer.control(Bytes(kMaxPayload)));
  CHECK(take(writer) == Order{"control"});
}

TEST_CASE("a reset drops what waits, but not what a fin has promised", "[mux]") {
  Writer writer;
  REQUIRE(writer.data(1, Bytes(5000)) == 5000);
  writer.credit(1, 7);
  writer.reset(1, ResetCode::cancelled, "gone");
  REQUIRE(writer.data(3, Bytes(50)) == 50);
  writer.fin(3);
  writer.reset(3, ResetCode::cancelled, "gone");
  CHECK(take(writer) == Order{"reset1", "data3:50", "fin3", "reset3"});
  CHECK(writer.queued() == 0);
}

TEST_CASE("a reset may go behind what waits", "[mux]") {
  Writer writer;
  REQUIRE(writer.data(1, Bytes(50'000)) == 50'000);
  writer.reset(1, ResetCode::broken, "gone", Unsent::send);
  REQUIRE(writer.data(3, Bytes(50)) == 50);
  writer.reset(3, ResetCode::broken, "gone", Unsent::send);
  writer.reset(5, ResetCode::broken, "gone", Unsent::send);
  Order all;
  while (!writer.empty()) {
    for (auto& frame : take(writer)) all.push_back(std::move(frame));
  }
  const auto of_1 = std::ranges::count_if(all, [](const auto& frame) { return frame.starts_with("data1"); });
  CHECK(of_1 == 4);
  CHECK(all.back() == "reset1");
  CHECK(std::ranges::find(all, "data3:50") < std::ranges::find(all, "reset3"));
  CHECK(std::ranges::count(all, "reset5") == 1);
  CHECK(writer.queued() == 0);
}

TEST_CASE("credits that wait are added up", "[mux]") {
  Writer writer;
  writer.credit(2, 100);
  writer.credit(2, 23);
  CHECK(take(writer) == Order{"credit2:123"});
  CHECK(take(writer).empty());
}
