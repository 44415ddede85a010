#pragma once

#include <cstdint>

namespace sallyport::app {

// Where the relay's log goes: `logs` in relay.yaml.
struct LogSettings {
  enum class To { both, files, standard_error };
  To to = To::both;
  std::uint64_t most_per_hour = 64u << 20;  // bytes in files
};

}  // namespace sallyport::app
