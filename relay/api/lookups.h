#pragma once

#include "relay/api/call.h"
#include "relay/api/services.h"

#include <boost/asio/awaitable.hpp>

// What a request body may name by id or by name.
namespace sallyport::api {

// Of the members `group` and `group_name`. invalid: neither is there, or both are. An id is not looked up.
boost::asio::awaitable<Result<GroupId>> group_of(Services& services, const Call& call);

// Of the members `recipe` and `recipe_name`, which is what people type; the same.
boost::asio::awaitable<Result<RecipeId>> recipe_of(Services& services, const Call& call);

}  // namespace sallyport::api
