#include "shared/base/log.h"

#include "shared/base/log_fields.h"

#include <catch2/catch.hpp>

#include <string>

using namespace sallyport;

namespace {

struct FixedClock final : Clock {
  SteadyTime steady() const override { return {}; }
  WallTime wall() const override { return from_unix_ms(0); }
};

struct Bench final : LogSink {
  void write(std::string_view line) override { text = line; }
  bool told(std::string_view what) const { return text.find(what) != std::string::npos; }

  std::string text;
  FixedClock clock;
  Log log{*this, clock};
};

}  // namespace

TEST_CASE("a log line is one JSON object whatever its values hold", "[log]") {
  Bench bench;
  bench.log.warn("link.lost", {{"reason", "a \"b\"\n\xFF"}, {"in_ms", 15}, {"open", true}});
  CHECK(bench.text ==
        "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"warn\",\"event\":\"link.lost\",\"reason\":\"a "
        "\\\"b\\\"\\n\xEF\xBF\xBD\",\"in_ms\":15,\"open\":true}");
}

TEST_CASE("the log writes the value of no field that nobody has classified", "[log]") {
  Bench bench;
  bench.log.error("login.failed", {{"passphrase", "hunter2"}, {"pin_code", 4711}, {"reason", "it is wrong"}});
  CHECK(bench.told(R"("passphrase":"***","pin_code":"***","reason":"it is wrong"})"));
  CHECK_FALSE(bench.told("hunter2"));
  CHECK_FALSE(bench.told("4711"));
}

TEST_CASE("a log field is found by its whole name, and is secret otherwise", "[log]") {
  for (const auto& field : kLogFields) {
    INFO(field.name);
    CHECK(class_of_log_field(field.name) == field.is);
    CHECK(field.is != FieldClass::secret);
    CHECK(class_of_log_field(std::string(field.name) + "_") == FieldClass::secret);
    CHECK_FALSE(field.what.empty());
  }
  CHECK(class_of_log_field("") == FieldClass::secret);
  CHECK(class_of_log_field("Reason") == FieldClass::secret);
}
