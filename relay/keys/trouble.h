#pragma once

#include "shared/base/ids.h"
#include "shared/base/log.h"
#include "shared/base/result.h"

#include <string>
#include <string_view>

namespace sallyport::keys {

// What is wrong where a key is kept, in words that are for the relay's operator alone. The log is told once for each
// change. One executor.
class Trouble {
 public:
  struct Events {
    std::string_view failed;
    std::string_view works;
  };
  // `org`: whose own key it is; empty: the deployment's, or several organisations'.
  Trouble(const Log& log, Events events, OrgId org = {}) : log_(log), events_(events), org_(std::move(org)) {}

  void tell(const Error& error);
  void tell_works();
  // What was wrong at last; empty: nothing.
  const std::string& last() const { return last_; }

 private:
  const Log& log_;
  Events events_;
  OrgId org_;
  std::string last_;
};

}  // namespace sallyport::keys
