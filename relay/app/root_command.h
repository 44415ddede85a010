#pragma once

#include "relay/app/settings.h"
#include "shared/base/clock.h"

#include <string>

namespace sallyport::app {

enum class RootStep { show, prepare, switch_over, retire };
enum class Retirement { careful, forced };

struct RootOrder {
  RootStep step = RootStep::show;
  DataDirectory data;
  Retirement retirement = Retirement::careful;
};

// `sallyport-relay root`: one step of the rotation of the deployment's root (relay/identity/root_rotation.h), beside a
// running relay, which is then told to look (SIGHUP), or in place of it. Gives what to tell the operator, the next step
// included. Blocking. Besides the errors of the steps: not_found when there is no relay in the directory; conflict when
// agents still need the root that is to be retired (some are named); unavailable when they cannot be counted; forbidden
// when this process is of another user than the deployment (but for `show`).
Result<std::string> change_root(const RootOrder& order, const Clock& clock);

}  // namespace sallyport::app
