#include "agent/platform/shared_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace sallyport::platform {

Result<SharedLibrary> SharedLibrary::load(const std::string& file) {
  void* handle = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle != nullptr) return SharedLibrary(file, handle);
  const char* reason = ::dlerror();  // of this thread
  return fail(Errc::not_found, fmt::format("cannot load {}", reason == nullptr ? file.c_str() : reason));
}

Result<void*> SharedLibrary::find(const std::string& symbol) const {
  void* address = ::dlsym(handle_, symbol.c_str());
  if (address != nullptr) return address;
  return fail(Errc::not_found, fmt::format("{} has no {}", file_, symbol));
}

}  // namespace sallyport::platform
