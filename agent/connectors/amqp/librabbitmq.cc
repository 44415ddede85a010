#include "agent/connectors/amqp/librabbitmq.h"

namespace sallyport::connectors::amqp {
namespace {

Result<Librabbitmq> find_all(const std::string& file) {
  SP_TRY(const auto library, platform::SharedLibrary::load(file));
  Librabbitmq functions;
  SALLYPORT_LIBRABBITMQ_FUNCTIONS(SALLYPORT_FIND_FUNCTION)
  return functions;
}

constinit platform::OnDemand<Librabbitmq> client([] { return open_librabbitmq(); });

}  // namespace

Result<Librabbitmq> open_librabbitmq(const std::string& file) {
  auto functions = find_all(file);
  if (functions) return functions;
  return in_context("the AMQP library cannot be used (Debian: the package librabbitmq4)", functions.error());
}

Result<void> load_librabbitmq() { return client.load(); }

const Librabbitmq& librabbitmq() { return client.functions(); }

}  // namespace sallyport::connectors::amqp
