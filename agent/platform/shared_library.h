#pragma once

#include "shared/base/result.h"

#include <mutex>
#include <string>

namespace sallyport::platform {

// A library of the system, loaded while the program runs. It is never unloaded, so what was found in it stays good.
class SharedLibrary {
 public:
  // By its file name; the system knows the folders. Errors: not_found, with the loader's reason.
  static Result<SharedLibrary> load(const std::string& file);
  // Errors: not_found.
  Result<void*> find(const std::string& symbol) const;
  // The same, as the function that it is.
  template <class Function>
  Result<void> find(const std::string& symbol, Function*& function) const {
    SP_TRY(void* const address, find(symbol));
    function = reinterpret_cast<Function*>(address);
    return {};
  }

 private:
  SharedLibrary(std::string file, void* handle) : file_(std::move(file)), handle_(handle) {}

  std::string file_;
  void* handle_;
};

// The functions of such a library, which is loaded when somebody first needs it and then is there once for the process.
// Any thread may ask; after a failure the next one tries again (a library that lacks a function needs a restart).
template <class Functions>
class OnDemand {
 public:
  using Open = Result<Functions> (*)();
  constexpr explicit OnDemand(Open open) : open_(open) {}

  Result<void> load() {
    const std::lock_guard lock(loading_);
    if (is_loaded_) return {};
    SP_TRY(functions_, open_());
    is_loaded_ = true;
    return {};
  }
  const Functions& functions() const { return functions_; }  // after load()

 private:
  Open open_;
  std::mutex loading_;
  Functions functions_{};
  bool is_loaded_ = false;
};

}  // namespace sallyport::platform

// Of a list X(name)...: a table's members with the types of the declared functions, and looking each up in `library`
// into `functions` (in a function that gives a Result).
// NOLINTBEGIN(bugprone-macro-parentheses): names that are declared
#define SALLYPORT_FUNCTION_MEMBER(name) decltype(&::name) name = nullptr;
#define SALLYPORT_FIND_FUNCTION(name) SP_CHECK(library.find(#name, functions.name));
// NOLINTEND(bugprone-macro-parentheses)
