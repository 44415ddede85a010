#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sallyport {

// Counts up. Thread-safe.
class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// Goes up and down. Thread-safe.
class Gauge {
 public:
  void set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void add(std::int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// Counts observations into fixed buckets. Thread-safe.
class Histogram {
 public:
  explicit Histogram(std::span<const double> upper_bounds);  // ascending; +Inf is added
  void observe(double value);
  std::span<const double> bounds() const { return bounds_; }
  std::uint64_t bucket(std::size_t i) const { return buckets_[i].load(std::memory_order_relaxed); }  // not cumulative
  double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  std::vector<double> bounds_;
  std::deque<std::atomic<std::uint64_t>> buckets_;
  std::atomic<double> sum_{0};
};

// Every measured figure of one process, written out as Prometheus reads it (text format 0.0.4).
// Owned by the composition root and handed down. Create series while the process starts, on one thread; the references
// stay valid for the life of this object, and what they refer to may be used from every thread.
// The same name and labels give the same object. Labels must come from a closed set: never an id or text from outside.
class Metrics {
 public:
  using Labels = std::vector<std::pair<std::string, std::string>>;

  Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, const Labels& labels = {});
  // Buckets in seconds unless given; one name has one set of buckets.
  Histogram& histogram(std::string_view name, std::string_view help, const Labels& labels = {});

  std::string prometheus() const;

 private:
  template <class T>
  struct Family {
    std::string help;
    std::map<std::string, std::unique_ptr<T>> series;  // by the labels as they are printed
  };
  template <class T>
  using Families = std::map<std::string, Family<T>, std::less<>>;

  Families<Counter> counters_;
  Families<Gauge> gauges_;
  Families<Histogram> histograms_;
};

}  // namespace sallyport
