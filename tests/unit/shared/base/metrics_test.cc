#include "shared/base/metrics.h"

#include <catch2/catch.hpp>

using namespace sallyport;

TEST_CASE("figures are written as Prometheus reads them", "[metrics]") {
  Metrics metrics;
  metrics.counter("jobs_total", "Jobs.", {{"state", "failed"}}).add(3);
  metrics.counter("jobs_total", "Jobs.", {{"state", "done"}}).add();
  metrics.gauge("links", "Links.").set(-2);
  CHECK(metrics.prometheus() ==
        "# HELP jobs_total Jobs.\n# TYPE jobs_total counter\n"
        "jobs_total{state=\"done\"} 1\njobs_total{state=\"failed\"} 3\n"
        "# HELP links Links.\n# TYPE links gauge\nlinks -2\n");
}

TEST_CASE("the same name and labels are the same figure", "[metrics]") {
  Metrics metrics;
  auto& one = metrics.counter("a_total", "A.", {{"x", "1"}});
  metrics.counter("a_total", "A.", {{"x", "2"}}).add(9);
  metrics.counter("a_total", "A.", {{"x", "1"}}).add(5);
  CHECK(one.value() == 5);
  metrics.gauge("g", "G.").add(4);
  metrics.gauge("g", "G.").add(-1);
  CHECK(metrics.gauge("g", "G.").value() == 3);
}

TEST_CASE("a histogram is cumulative and ends with everything", "[metrics]") {
  Metrics metrics;
  auto& took = metrics.histogram("took_seconds", "Time.", {{"op", "x"}});
  for (const double value : {0.0005, 0.001, 0.03, 99.0}) took.observe(value);
  const auto text = metrics.prometheus();
  CHECK(text.find("took_seconds_bucket{op=\"x\",le=\"0.001\"} 2\n") != std::string::npos);
  CHECK(text.find("took_seconds_bucket{op=\"x\",le=\"0.025\"} 2\n") != std::string::npos);
  CHECK(text.find("took_seconds_bucket{op=\"x\",le=\"0.05\"} 3\n") != std::string::npos);
  CHECK(text.find("took_seconds_bucket{op=\"x\",le=\"10\"} 3\n") != std::string::npos);
  CHECK(text.find("took_seconds_bucket{op=\"x\",le=\"+Inf\"} 4\n") != std::string::npos);
  CHECK(text.find("took_seconds_count{op=\"x\"} 4\n") != std::string::npos);
  CHECK(text.find("took_seconds_sum{op=\"x\"} 99.0315\n") != std::string::npos);
}

TEST_CASE("label values cannot break the format", "[metrics]") {
  Metrics metrics;
  metrics.counter("a_total", "A.", {{"x", "q\"b\\n\nl"}}).add();
  CHECK(metrics.prometheus().find("a_total{x=\"q\\\"b\\\\n\\nl\"} 1\n") != std::string::npos);
}
