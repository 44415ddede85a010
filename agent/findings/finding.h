#pragma once

#include "shared/base/value.h"

#include <string>
#include <string_view>
#include <vector>

namespace sallyport::findings {

enum class Verdict {
  good,
  note,     // it works; somebody should know
  bad,      // the agent cannot do its work, or part of it
  skipped,  // could not be looked at, because of another finding
};
std::string_view to_string(Verdict verdict);

// One thing that was looked at. `check` is a stable word ("dns"); the texts are for people, without secrets.
struct Finding {
  std::string check;
  Verdict verdict = Verdict::good;
  std::string text;
  std::string advice = {};  // what to do about it
};
using Findings = std::vector<Finding>;

struct Report {
  Findings findings;
  std::string request = {};  // for the people who run the network: what to allow; "" when nothing is in the way

  bool healthy() const;  // nothing is bad
};

std::string report_text(const Report& report);
Value report_value(const Report& report);  // as docs/operations/agent-configuration.md describes it

}  // namespace sallyport::findings
