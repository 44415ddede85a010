#include "relay/keys/measured_provider.h"

namespace sallyport::keys {

namespace asio = boost::asio;

namespace {

enum Outcome : std::size_t { ok, refused, unavailable };

Outcome outcome_of(const Result<void>& outcome) {
  if (outcome) return ok;
  return is_word_of_keeper(outcome.error().code) ? refused : unavailable;
}

std::string name_of(WhoseKey whose) { return whose == WhoseKey::master ? "master" : "own"; }

template <class T>
Result<void> without_value(const Result<T>& outcome) {
  if (outcome) return {};
  return std::unexpected(outcome.error());
}

}  // namespace

ProviderFigures::ByOutcome ProviderFigures::counters(Metrics& metrics, WhoseKey whose, std::string operation) {
  const auto counter = [&](std::string outcome) {
    return std::ref(metrics.counter(
        "sallyport_key_calls_total", "Calls to where the master key, or organisations' own keys, are kept.",
        {{"key", name_of(whose)}, {"operation", operation}, {"outcome", std::move(outcome)}}));
  };
  return {counter("ok"), counter("refused"), counter("unavailable")};
}

ProviderFigures::ProviderFigures(Metrics& metrics, WhoseKey whose)
    : wraps_(counters(metrics, whose, "wrap")),
      unwraps_(counters(metrics, whose, "unwrap")),
      seconds_(
          metrics.histogram("sallyport_key_call_seconds", "How long these calls took.", {{"key", name_of(whose)}})) {
  if (whose == WhoseKey::master)
    unavailable_ =
        &metrics.gauge("sallyport_master_key_unavailable", "1 while the last call for the master key failed.");
}

void ProviderFigures::ended(Operation operation, const Result<void>& outcome, std::chrono::nanoseconds took) {
  if (!outcome && outcome.error().code == Errc::cancelled) return;
  (operation == Operation::wrap ? wraps_ : unwraps_).at(outcome_of(outcome)).get().add();
  seconds_.observe(std::chrono::duration<double>(took).count());
  if (unavailable_ != nullptr) unavailable_->set(outcome ? 0 : 1);
}

asio::awaitable<Result<Bytes>> MeasuredProvider::wrap(std::string purpose, Secret key) {
  const auto began = clock_.steady();
  auto wrapped = co_await real_->wrap(std::move(purpose), std::move(key));
  figures_.ended(ProviderFigures::Operation::wrap, without_value(wrapped), clock_.steady() - began);
  co_return wrapped;
}

asio::awaitable<Result<Secret>> MeasuredProvider::unwrap(std::string purpose, Bytes wrapped) {
  const auto began = clock_.steady();
  auto key = co_await real_->unwrap(std::move(purpose), std::move(wrapped));
  figures_.ended(ProviderFigures::Operation::unwrap, without_value(key), clock_.steady() - began);
  co_return key;
}

}  // namespace sallyport::keys
