// What an FTP server says and lists, as lines, as replies, as a path: no crash, no more kept than allowed, no name that
// has what no name can have is taken for a good one, and a listing means the same wherever it is cut.
#include "agent/connectors/ftps/listing.h"
#include "agent/connectors/ftps/talk.h"

#include <cstdint>
#include <cstdlib>

using namespace sallyport::connectors;

namespace {

void judge(const std::optional<ftps::Listed>& listed) {
  if (!listed) return;
  const auto verdict = remote::judge_name(listed->name);
  if (verdict == remote::NameVerdict::good && listed->name.find_first_of("/\r\n") != std::string::npos) std::abort();
  if (listed->facts.file.size > std::uint64_t{INT64_MAX}) std::abort();
}

std::string told(const ftps::Talk& talk) {
  std::string all = std::to_string(talk.last_code()) + (talk.is_answered() ? "+" : "-");
  for (const auto& reply : talk.replies()) {
    all += std::to_string(reply.code);
    for (const auto& line : reply.lines) all += line + "\n";
  }
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  judge(ftps::parse_facts(text));
  judge(ftps::parse_list(text).value_or(std::nullopt));
  (void)ftps::parse_time(text);
  const std::vector<std::string> expected{"FEAT"};
  ftps::Talk whole(expected), cut(expected);
  for (auto* talk : {&whole, &cut}) talk->sent("FEAT\r\n");
  whole.received(text);
  for (const char c : text) cut.received(std::string_view(&c, 1));
  if (!whole.is_flooded() && !cut.is_flooded() && told(whole) != told(cut)) std::abort();
  if (told(whole).size() > ftps::Talk::kMostKept + 64) std::abort();
  const auto path = ftps::path_in(whole.replies().front());
  if (path && (!path->starts_with('/') || path->find_first_of("\r\n") != std::string::npos)) std::abort();
  return 0;
}
