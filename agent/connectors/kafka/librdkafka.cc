#include "agent/connectors/kafka/librdkafka.h"

namespace sallyport::connectors::kafka {
namespace {

Result<Librdkafka> find_all(const std::string& file) {
  SP_TRY(const auto library, platform::SharedLibrary::load(file));
  Librdkafka functions;
  SALLYPORT_LIBRDKAFKA_FUNCTIONS(SALLYPORT_FIND_FUNCTION)
  return functions;
}

constinit platform::OnDemand<Librdkafka> client([] { return open_librdkafka(); });

}  // namespace

Result<Librdkafka> open_librdkafka(const std::string& file) {
  auto functions = find_all(file);
  if (functions) return functions;
  return in_context("the Kafka library cannot be used (Debian: the package librdkafka1)", functions.error());
}

Result<void> load_librdkafka() { return client.load(); }

const Librdkafka& librdkafka() { return client.functions(); }

}  // namespace sallyport::connectors::kafka
