#pragma once

#include "shared/base/result.h"

#include <netinet/in.h>
#include <sys/types.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

// What is measured at the entrance of a tunnel that leads to run_target(). Each phase blocks for its `length` and a
// fraction of a second more, and adds figures under its name; `failures` counts connections that were refused, broken
// or silent for seconds. Times are in microseconds unless a name says otherwise.
namespace sallyport::bench {

using Figures = std::map<std::string, double>;

struct Entrance {
  sockaddr_in address{};
  std::vector<pid_t> tunnel;  // the tunnel's processes, whose CPU time counts
};

enum class Direction { up, down };
enum class Company { alone, bulk };  // what else goes through the tunnel meanwhile

struct Phase {
  std::string name;
  std::chrono::duration<double> length{};
  unsigned connections = 1;
};

// NAME_bytes, NAME_seconds, NAME_cpu_s (of the tunnel), NAME_load_cpu_s (of this process: it should be small).
void move_bulk(Figures& figures, const Entrance& entrance, const Phase& phase, Direction direction);

// 64 bytes there and back, one request at a time on each connection: NAME_p50, NAME_p99, NAME_per_s; with bulk
// NAME_bulk_bytes as well.
void ask_small(Figures& figures, const Entrance& entrance, const Phase& phase, Company company);

// Connects, sends a byte, waits for the answer and closes, again and again: NAME_per_s, NAME_p50, NAME_p99, NAME_cpu_us
// (of the tunnel, for each connection).
void connect_often(Figures& figures, const Entrance& entrance, const Phase& phase);

// Opens connections one after the other and has a byte echoed on each; they stay open until standard input ends.
// Prints "held N of M" when they are open.
Result<void> hold_open(const Entrance& entrance, unsigned count);

}  // namespace sallyport::bench
