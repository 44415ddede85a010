#pragma once

#include "agent/connectors/arguments.h"
#include "agent/connectors/site.h"
#include "agent/platform/beneath.h"
#include "shared/crypto/digest.h"

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace sallyport::connectors::file {

// One file action's view of its connection: cleaned and allowed paths, opened root, limits.
class Access {
 public:
  static StepResult<Access> open(const Site& site, const StepContext& context, std::string_view action);

  StepResult<std::string> clean(std::string_view path) const;
  StepResult<std::string> allowed(policy::FileVerb verb, std::string_view path) const;  // clean, or class "policy"
  StepResult<void> check_going_on() const { return connectors::check_going_on(site_, context_); }
  StepResult<void> check_size(std::uint64_t bytes) const;

  const platform::Root& root() const { return root_; }
  const StepContext& context() const { return context_; }
  const Site& site() const { return site_; }

 private:
  Access(const Site& site, const StepContext& context, platform::Root root)
      : site_(site), context_(context), root_(std::move(root)) {}

  const Site& site_;
  const StepContext& context_;
  platform::Root root_;
};

// Class "in_doubt", besides what it is, when the change may stand all the same: the step is run again, and accepts then
// what it finds done.
StepError change_error(platform::ChangeError error);

template <class T>
StepResult<T> to_outcome(platform::Change<T> change) {
  if (!change) return std::unexpected(change_error(std::move(change).error()));
  if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    return *std::move(change);
  }
}

// SHA-256 of an open file from its beginning, in pieces, asking `access` between them.
StepResult<std::string> hash_file(const Access& access, int fd);

}  // namespace sallyport::connectors::file
