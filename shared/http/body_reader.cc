#include "shared/http/body_reader.h"

#include "shared/base/secret.h"
#include "shared/http/characters.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::http {
namespace {

constexpr int kMostDigits = 8;

std::unexpected<Problem> malformed() {
  return std::unexpected(Problem{400, "chunk", "The body's chunks are malformed.", {}});
}

std::unexpected<Problem> too_large(std::size_t limit) {
  return std::unexpected(Problem{413, "too_large", fmt::format("The body may have at most {} bytes here.", limit), {}});
}

}  // namespace

BodyReader::BodyReader(const RequestHead& head, std::size_t limit)
    : limit_(limit),
      state_(head.chunked      ? State::size_first
             : head.has_body() ? State::plain
                               : State::done),
      left_(head.content_length.value_or(0)) {}

std::expected<std::size_t, Problem> BodyReader::feed(std::string_view bytes) {
  if (state_ == State::plain && left_ > limit_) return too_large(limit_);
  std::size_t used = 0;
  while (used < bytes.size() && !done()) {
    if (state_ != State::plain && state_ != State::data) {
      if (auto stepped = step(bytes[used++]); !stepped) return std::unexpected(std::move(stepped).error());
      continue;
    }
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() - used));
    append(bytes.substr(used, count));
    used += count;
    left_ -= count;
    if (left_ == 0) state_ = state_ == State::plain ? State::done : State::data_cr;
  }
  return used;
}

// Some bodies have a secret: what is left behind when they grow is wiped.
void BodyReader::append(std::string_view bytes) {
  if (body_.size() + bytes.size() > body_.capacity()) {
    std::string larger;
    larger.reserve(std::max(body_.size() + bytes.size(), 2 * body_.capacity()));
    larger.append(body_);
    wipe(body_.data(), body_.size());
    body_.swap(larger);
  }
  body_.append(bytes);
}

std::expected<void, Problem> BodyReader::step(char c) {
  const auto expect = [&](char wanted, State next) -> std::expected<void, Problem> {
    if (c != wanted) return malformed();
    state_ = next;
    return {};
  };
  switch (state_) {
    case State::size:
      if (c == '\r') return expect('\r', State::size_lf);
      [[fallthrough]];
    case State::size_first:
      if (hex_value(c) < 0 || ++digits_ > kMostDigits) return malformed();
      left_ = left_ * 16 + static_cast<std::uint64_t>(hex_value(c));
      state_ = State::size;
      return {};
    case State::size_lf: return c == '\n' ? begin_data() : malformed();
    case State::data_cr: return expect('\r', State::data_lf);
    case State::data_lf: return expect('\n', State::size_first);
    case State::last_cr: return expect('\r', State::last_lf);
    case State::last_lf: return expect('\n', State::done);
    case State::plain:
    case State::data:
    case State::done: break;
  }
  return malformed();
}

std::expected<void, Problem> BodyReader::begin_data() {
  digits_ = 0;
  state_ = left_ == 0 ? State::last_cr : State::data;
  if (left_ > limit_ - body_.size()) return too_large(limit_);
  return {};
}

}  // namespace sallyport::http
