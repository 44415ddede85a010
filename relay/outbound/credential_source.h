#pragma once

#include "shared/base/result.h"

#include <functional>
#include <memory>
#include <utility>

namespace sallyport::outbound {

// Asked for each call, on the thread of the call, so that what has taken the place of a credential counts at once.
template <class T>
using CredentialSource = std::function<Result<T>()>;

// One that never changes. T has duplicate().
template <class T>
CredentialSource<T> always(T credential) {
  return [kept = std::make_shared<const T>(std::move(credential))]() -> Result<T> { return kept->duplicate(); };
}

}  // namespace sallyport::outbound
