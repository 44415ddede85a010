#pragma once

#include "relay/api/services.h"

#include <boost/asio/awaitable.hpp>

#include <string>

namespace sallyport::api {

// Makes the gauges of jobs, while the process starts.
void make_job_gauges(Metrics& metrics);

// Sets them as the store counts now, and gives what has no fixed set of labels, as Prometheus reads it: how many jobs
// wait for each agent group and for how long, of the 1,000 groups that wait longest. What the store cannot tell is
// logged and left as it was.
boost::asio::awaitable<std::string> count_jobs(Services& services);

}  // namespace sallyport::api
