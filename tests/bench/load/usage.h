#pragma once

#include <sys/types.h>

#include <span>

namespace sallyport::bench {

// User and system time of these processes, their ended threads included; those that are gone count nothing. Seconds, in
// steps of the kernel's tick (10 ms).
double cpu_seconds(std::span<const pid_t> processes);
double own_cpu_seconds();

}  // namespace sallyport::bench
