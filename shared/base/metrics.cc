#include "shared/base/metrics.h"

#include "shared/base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport {
namespace {

constexpr std::array kSeconds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0};

std::string printed(const Metrics::Labels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    if (!out.empty()) out += ',';
    out += name + "=\"";
    for (const char c : value) {
      if (c == '\\' || c == '"') out += '\\';
      out += c == '\n' ? std::string("\\n") : std::string(1, c);
    }
    out += '"';
  }
  return out;
}

std::string braced(std::string_view labels, std::string_view more = {}) {
  if (labels.empty() && more.empty()) return {};
  return fmt::format("{{{}{}{}}}", labels, labels.empty() || more.empty() ? "" : ",", more);
}

template <class Families, class Make>
auto& series_of(Families& families, std::string_view name, std::string_view help, const Metrics::Labels& labels,
                Make make) {
  auto family = families.find(name);
  if (family == families.end()) family = families.emplace(std::string(name), typename Families::mapped_type{}).first;
  if (family->second.help.empty()) family->second.help = help;
  auto& slot = family->second.series[printed(labels)];
  if (slot == nullptr) slot = make();
  return *slot;
}

void write_histogram(std::string& out, std::string_view name, std::string_view labels, const Histogram& histogram) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < histogram.bounds().size(); ++i) {
    total += histogram.bucket(i);
    const auto bound = fmt::format("le=\"{}\"", json_number(histogram.bounds()[i]));
    out += fmt::format("{}_bucket{} {}\n", name, braced(labels, bound), total);
  }
  total += histogram.bucket(histogram.bounds().size());
  out += fmt::format("{}_bucket{} {}\n", name, braced(labels, "le=\"+Inf\""), total);
  out += fmt::format("{}_sum{} {}\n", name, braced(labels), json_number(histogram.sum()));
  out += fmt::format("{}_count{} {}\n", name, braced(labels), total);
}

}  // namespace

Histogram::Histogram(std::span<const double> upper_bounds)
    : bounds_(upper_bounds.begin(), upper_bounds.end()), buckets_(upper_bounds.size() + 1) {}

void Histogram::observe(double value) {
  const auto bucket = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
  buckets_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

Counter& Metrics::counter(std::string_view name, std::string_view help, const Labels& labels) {
  return series_of(counters_, name, help, labels, [] { return std::make_unique<Counter>(); });
}
Gauge& Metrics::gauge(std::string_view name, std::string_view help, const Labels& labels) {
  return series_of(gauges_, name, help, labels, [] { return std::make_unique<Gauge>(); });
}
Histogram& Metrics::histogram(std::string_view name, std::string_view help, const Labels& labels) {
  return series_of(histograms_, name, help, labels, [] { return std::make_unique<Histogram>(kSeconds); });
}

std::string Metrics::prometheus() const {
  std::string out;
  const auto head = [&](std::string_view name, std::string_view help, std::string_view type) {
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  };
  const auto write_plain = [&](const auto& families, std::string_view type) {
    for (const auto& [name, family] : families) {
      head(name, family.help, type);
      for (const auto& [labels, one] : family.series)
        out += fmt::format("{}{} {}\n", name, braced(labels), one->value());
    }
  };
  write_plain(counters_, "counter");
  write_plain(gauges_, "gauge");
  for (const auto& [name, family] : histograms_) {
    head(name, family.help, "histogram");
    for (const auto& [labels, one] : family.series) write_histogram(out, name, labels, *one);
  }
  return out;
}

}  // namespace sallyport
