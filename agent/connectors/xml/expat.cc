#include "agent/connectors/xml/expat.h"

namespace sallyport::connectors::xml {
namespace {

Result<Expat> open_expat() {
  SP_TRY(const auto library, platform::SharedLibrary::load("libexpat.so.1"));
  Expat functions;
  SALLYPORT_EXPAT_FUNCTIONS(SALLYPORT_FIND_FUNCTION)
  return functions;
}

constinit platform::OnDemand<Expat> library([] { return open_expat(); });

}  // namespace

StepResult<void> load_expat() {
  if (library.load()) return {};
  return step_fail("internal", "expat cannot be used on this machine (Debian: the package libexpat1)");
}

const Expat& expat() { return library.functions(); }

}  // namespace sallyport::connectors::xml
