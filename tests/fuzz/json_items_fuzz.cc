// The objects of an array, in two pieces: no crash, and what the strict parser makes of the whole document.
#include "agent/connectors/json/json_items.h"
#include "shared/base/json.h"
#include "shared/base/text.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

using namespace sallyport;
using namespace sallyport::connectors::json;

namespace {

struct Outcome {
  ValueList rows;
  bool failed = false;
};

Outcome items_of(std::string_view pointer, std::string_view first, std::string_view second) {
  auto items = *JsonItems::at(pointer, {.item_bytes = 1024, .depth = 8});
  Outcome outcome;
  const auto drain = [&] {
    while (!outcome.failed) {
      const auto item = items.next();
      outcome.failed = !item;
      if (outcome.failed || !*item) return;
      auto row = parse_json(**item);
      outcome.failed = !row;
      if (row) outcome.rows.push_back(*std::move(row));
    }
  };
  items.feed(as_bytes(first));
  drain();
  items.feed(as_bytes(second));
  drain();
  items.finish();
  drain();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::string_view pointer = data[0] % 2 == 0 ? "" : "/i";
  const auto whole = items_of(pointer, text, {});
  const auto pieces = items_of(pointer, text.substr(0, data[0] % text.size()), text.substr(data[0] % text.size()));
  if (whole.failed != pieces.failed || to_json(Value(whole.rows)) != to_json(Value(pieces.rows))) std::abort();
  const auto document = parse_json(text);
  if (!document) return 0;
  const auto* array = pointer.empty() ? &*document : document->is(Value::Kind::map) ? document->find("i") : nullptr;
  if (!whole.failed && (array == nullptr || to_json(*array) != to_json(Value(whole.rows)))) std::abort();
  return 0;
}
