#pragma once

#include "relay/cli/client.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace sallyport::cli {

// The steps of a job as rows for people, taken in one by one. Items of a `foreach` become one row that counts them when
// there are more than kMostItems, followed by the first of those that did not succeed: what is held does not grow with
// the number of items.
class StepTable {
 public:
  static constexpr std::size_t kMostItems = 20;

  void add(const Value& step);
  ValueList rows() const;
  // What the rows leave out, a line for each step, and where it is; "" when nothing.
  std::string left_out() const;

 private:
  struct Items {
    std::string path;  // "upsert[]"
    std::string uses;
    std::string started_at;
    std::string finished_at;
    std::size_t count = 0;
    std::map<std::string, std::size_t> ends;  // by status, or "tried again"
    ValueList first;                          // kMostItems of them
    ValueList troubled;                       // the same, of those that did not succeed
    std::size_t troubles = 0;
  };
  void count_item(Items& items, const Value& step);
  static Value summary_of(const Items& items);

  std::vector<Items> steps_;  // in the order in which they began
};

enum class Payloads { with, without };

// What the last steps among `rows` that failed gave all the same, such as the end of a program's standard error; ""
// when nothing. At most kMostOutputs steps are asked for.
inline constexpr std::size_t kMostOutputs = 3;
Result<std::string> failed_outputs(Client& client, const std::string& job, const ValueList& rows);

// Every step of a job, page by page, in the order in which they began.
Result<void> each_step(Client& client, const std::string& job, Payloads payloads,
                       const std::function<void(const Value& step)>& take);

}  // namespace sallyport::cli
