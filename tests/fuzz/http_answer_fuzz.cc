#include "agent/connectors/http/answer_head.h"
#include "agent/connectors/http/json_pointer.h"
#include "agent/connectors/http/target.h"
#include "agent/connectors/http/tokens.h"
#include "agent/connectors/libcurl.h"
#include "shared/base/json.h"

#include <cstdint>
#include <cstdlib>

// Any lines are a head, or are refused. Where a header leads stays at the origin, and is a path with one reading.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  using namespace sallyport::connectors::http;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (!connectors::load_libcurl()) std::abort();
  (void)parse_token(text);
  (void)find_by_pointer(parse_json(R"({"a":[{"b":1}],"":2})").value(), text);
  AnswerHead head;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n') + 1);
    if (line.empty() || !head.take(line)) break;
    text.remove_prefix(line.size());
  }
  if (to_json(head.shown()).size() > 8 * AnswerHead::kMostShown) std::abort();
  if (parse_stored_json(stored_json(head.shown())) != head.shown()) std::abort();
  const auto base = policy::parse_http_url("https://erp.example.com/api");
  const Target here{{"api", "x"}, "/api/x"};
  for (const auto header : head.all("link")) {
    const auto next = next_link(header);
    const auto target = next.empty() ? connectors::StepResult<Target>(here) : follow_reference(*base, here, next);
    if (!target) continue;
    if (!target->text.starts_with('/') || target->text.find_first_of("\r\n") != std::string::npos) std::abort();
    for (const auto& segment : target->segments) {
      if (segment == ".." || segment.contains('/')) std::abort();
    }
  }
  return 0;
}
