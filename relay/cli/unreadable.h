#pragma once

#include "shared/base/result.h"
#include "shared/base/value.h"

#include <cstdint>
#include <string_view>

namespace sallyport::cli {

// What of an answer did not open: in its place stands {"$unreadable": why, "code": ...}.
class Unreadable {
 public:
  void look_into(const Value& row);  // a job, step or event: the marks that stand for its members
  void add(const Value& counts);     // {"key_unavailable": 2, ...}, as a page of an export tells them
  Value counts() const;              // the same of all

  // What has expired is not missing: it is to be gone. conflict: something else did not open; says why, and where to
  // look. `what`: "the export".
  Result<void> expect_whole(std::string_view what) const;

 private:
  std::int64_t expired_ = 0;
  std::int64_t key_unavailable_ = 0;
  std::int64_t given_up_ = 0;
  std::int64_t damaged_ = 0;
};

}  // namespace sallyport::cli
