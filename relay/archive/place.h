#pragma once

#include "shared/base/result.h"
#include "shared/base/text.h"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace sallyport::archive {

inline constexpr std::size_t kMostObject = 40u << 20;  // bytes of one

// Where records of jobs are put, under names of letters, digits, "_", "-" and "." between slashes. What is put is
// sealed. Errors of all: unavailable, timed_out: trying again may help. forbidden, unauthenticated: not allowed there.
class Place {
 public:
  virtual ~Place() = default;
  // Durable when it returns. The same name again: the newer one counts.
  virtual boost::asio::awaitable<Result<void>> put(std::string name, Bytes object) = 0;
  virtual boost::asio::awaitable<Result<Bytes>> get(std::string name) = 0;    // not_found: it is not there
  virtual boost::asio::awaitable<Result<void>> remove(std::string name) = 0;  // what is not there is removed already
  virtual std::string describe() const = 0;
};

using Places = std::map<std::string, std::unique_ptr<Place>, std::less<>>;  // by the name that the operator gave

}  // namespace sallyport::archive
