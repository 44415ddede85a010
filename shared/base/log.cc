#include "shared/base/log.h"

#include "shared/base/json.h"
#include "shared/base/log_fields.h"
#include "shared/base/text.h"

#include <fmt/format.h>

namespace sallyport {
namespace {

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warn: return "warn";
    case LogLevel::error: return "error";
  }
  return "error";
}

struct AppendValue {
  std::string& line;
  void operator()(std::string_view text) const { append_json_string(line, text); }
  void operator()(std::int64_t number) const { line += std::to_string(number); }
  void operator()(double number) const { line += json_number(number); }
  void operator()(bool truth) const { line += truth ? "true" : "false"; }
};

}  // namespace

void Log::write(LogLevel level, std::string_view event, Fields fields) const {
  if (level < least_) return;
  std::string line = fmt::format(R"({{"time":"{}","level":"{}","event":)", rfc3339(clock_.wall()), name_of(level));
  append_json_string(line, event);
  for (const auto& field : fields) {
    line += ',';
    append_json_string(line, field.name);
    line += ':';
    if (class_of_log_field(field.name) == FieldClass::secret) {
      append_json_string(line, "***");
    } else {
      std::visit(AppendValue{line}, field.value);
    }
  }
  line += '}';
  sink_.write(line);
}

}  // namespace sallyport
