#pragma once

#include "shared/base/result.h"

#include <string>

namespace sallyport::platform {

// A library of the system, loaded while the program runs. It is never unloaded, so what was found in it stays good.
class SharedLibrary {
 public:
  // By its file name; the system knows the folders. Errors: not_found, with the loader's reason.
  static Result<SharedLibrary> load(const std::string& file);
  // Errors: not_found.
  Result<void*> find(const std::string& symbol) const;

 private:
  SharedLibrary(std::string file, void* handle) : file_(std::move(file)), handle_(handle) {}

  std::string file_;
  void* handle_;
};

}  // namespace sallyport::platform
