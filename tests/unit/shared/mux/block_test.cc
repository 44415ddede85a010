#include "shared/mux/block.h"

#include "shared/mux/batch.h"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace sallyport;
using namespace sallyport::mux;

namespace {

Bytes counted(std::size_t size, std::size_t from = 0) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((from + i) * 31 >> 3);
  return bytes;
}

Bytes drain(BlockQueue& queue, std::size_t step) {
  Bytes all;
  while (!queue.empty()) {
    const auto front = queue.front();
    const auto count = std::min(front.size(), step);
    all.insert(all.end(), front.begin(), front.begin() + static_cast<std::ptrdiff_t>(count));
    queue.drop(count);
  }
  return all;
}

}  // namespace

TEST_CASE("a queue gives its bytes in order, however they went in and come out", "[mux]") {
  for (const std::size_t size : {1u, 16'375u, 16'376u, 16'377u, 100'000u}) {
    for (const std::size_t step : {1u, 1000u, 16'376u, 200'000u}) {
      INFO(size << " bytes, out by " << step);
      BlockPool pool;
      BlockQueue queue(pool);
      const auto bytes = counted(size);
      queue.append(std::span(bytes).first(size / 3));
      queue.append(std::span(bytes).subspan(size / 3));
      CHECK(queue.size() == size);
      CHECK(drain(queue, step) == bytes);
      CHECK(queue.front().empty());
      CHECK(queue.room_at_end().empty());
    }
  }
}

TEST_CASE("a queue that moves or dies takes its blocks along, or gives them back", "[mux]") {
  BlockPool pool;
  {
    BlockQueue queue(pool);
    queue.append(counted(40'000));
    BlockQueue moved(std::move(queue));
    CHECK(moved.size() == 40'000);
    CHECK(pool.unused() == 0);
    auto first = moved.take_front();
    CHECK(first->bytes().size() == Block::kRoom);
    CHECK(moved.size() == 40'000 - Block::kRoom);
  }
  CHECK(pool.unused() == 3);
}

TEST_CASE("a pool keeps what is used again, within a bound, and gives back what is not", "[mux]") {
  BlockPool pool;
  BlockQueue queue(pool);
  queue.append(counted(200 * Block::kRoom));
  queue.clear();
  CHECK(pool.unused() == 64);
  queue.append(counted(10 * Block::kRoom));
  pool.rest();  // before, all were in use
  CHECK(pool.unused() == 54);
  queue.clear();
  CHECK(pool.unused() == 64);
  pool.rest();  // of 64 ten were used since
  CHECK(pool.unused() == 10);
  pool.rest();
  CHECK(pool.unused() == 0);
}

TEST_CASE("a batch has its frames in order, large ones where they lie", "[mux]") {
  BlockPool pool;
  Batch batch;
  const auto add = [&](std::size_t size) {
    auto block = pool.take();
    const auto bytes = counted(size, size);
    std::ranges::copy(bytes, block->room().begin());
    block->filled(size);
    batch.append(static_cast<ChannelNumber>(size), std::move(block));
  };
  batch.append({0, FrameType::control, as_bytes("ping")});
  add(2000);
  add(16'376);
  add(2049);
  batch.append({7, FrameType::fin, {}});
  REQUIRE(batch.pieces().size() == 4);
  const auto wire = joined(batch);
  CHECK(wire.size() == batch.size());
  FrameReader reader;
  reader.feed(wire);
  std::vector<std::size_t> sizes;
  for (auto frame = reader.next(); frame && *frame; frame = reader.next()) {
    sizes.push_back((*frame)->payload.size());
    if ((*frame)->type != FrameType::data) continue;
    CHECK((*frame)->channel == (*frame)->payload.size());
    CHECK(std::ranges::equal((*frame)->payload, counted((*frame)->payload.size(), (*frame)->payload.size())));
  }
  CHECK(sizes == std::vector<std::size_t>{4, 2000, 16'376, 2049, 0});
  batch.clear();
  CHECK(batch.empty());
  CHECK(batch.pieces().empty());
  CHECK(pool.unused() == 2);
}
