#include "agent/findings/finding.h"

#include "shared/base/utf8.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::findings {
namespace {
constexpr std::size_t kLongestText = 2'000;
}

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::good: return "good";
    case Verdict::note: return "note";
    case Verdict::bad: return "bad";
    case Verdict::skipped: return "skipped";
  }
  return "bad";
}

bool Report::healthy() const { return std::ranges::find(findings, Verdict::bad, &Finding::verdict) == findings.end(); }

std::string report_text(const Report& report) {
  std::string text;
  for (const auto& [check, verdict, what, advice] : report.findings) {
    text += fmt::format("{:<8} {:<12} {}\n", to_string(verdict), check, for_terminal(what, kLongestText));
    if (!advice.empty()) text += fmt::format("{:21} -> {}\n", "", for_terminal(advice, kLongestText));
  }
  if (!report.request.empty())
    text += fmt::format("\nFor those who run the network:\n  {}\n", for_terminal(report.request, kLongestText));
  const auto bad = std::ranges::count(report.findings, Verdict::bad, &Finding::verdict);
  text += bad == 0 ? "\nNothing is in the agent's way.\n" : fmt::format("\n{} of these are in the agent's way.\n", bad);
  return text;
}

Value report_value(const Report& report) {
  ValueList findings;
  for (const auto& [check, verdict, what, advice] : report.findings) {
    ValueMap map{
        {Value("check"), Value(check)}, {Value("verdict"), Value(to_string(verdict))}, {Value("text"), Value(what)}};
    if (!advice.empty()) map.emplace(Value("advice"), Value(advice));
    findings.emplace_back(std::move(map));
  }
  ValueMap all{{Value("healthy"), Value(report.healthy())}, {Value("findings"), Value(std::move(findings))}};
  if (!report.request.empty()) all.emplace(Value("request"), Value(report.request));
  return Value(std::move(all));
}

}  // namespace sallyport::findings
