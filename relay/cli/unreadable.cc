#include "relay/cli/unreadable.h"

#include "relay/cli/requests.h"

#include <fmt/format.h>

namespace sallyport::cli {

// What a job worked on is not searched: it may say anything.
void Unreadable::look_into(const Value& row) {
  for (const auto& [name, member] : row.as_map()) {
    if (name == Value("error") && member.is(Value::Kind::map)) look_into(member);
    if (!member.is(Value::Kind::map) || member.find("$unreadable") == nullptr) continue;
    const auto code = text_of(member, "code");
    ++(code == "expired"           ? expired_
       : code == "key_unavailable" ? key_unavailable_
       : code == "given_up"        ? given_up_
                                   : damaged_);
  }
}

void Unreadable::add(const Value& counts) {
  const auto of = [&](std::string_view code) {
    const auto* count = counts.find(code);
    return count != nullptr && count->is(Value::Kind::int64) ? count->as_int() : 0;
  };
  expired_ += of("expired");
  key_unavailable_ += of("key_unavailable");
  given_up_ += of("given_up");
  damaged_ += of("damaged");
}

Value Unreadable::counts() const {
  return Value(ValueMap{{Value("expired"), Value(expired_)},
                        {Value("key_unavailable"), Value(key_unavailable_)},
                        {Value("given_up"), Value(given_up_)},
                        {Value("damaged"), Value(damaged_)}});
}

Result<void> Unreadable::expect_whole(std::string_view what) const {
  if (key_unavailable_ + given_up_ + damaged_ == 0) return {};
  return fail(
      Errc::conflict,
      fmt::format("{} is not whole: of {} fields the key cannot be had now (see \"sallyport keys show\"), of {} "
                  "it was given up, {} are damaged; they are marked with $unreadable",
                  what, key_unavailable_, given_up_, damaged_));
}

}  // namespace sallyport::cli
