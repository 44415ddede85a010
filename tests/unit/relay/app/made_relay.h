#pragma once

#include "relay/app/init.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

#include <string>

// A relay as `sallyport-relay init` makes it: the organisation "acme" with its owner ada@acme.example.
namespace sallyport::test {

inline const SystemClock kClock;

inline app::InitOrder order_in(const std::string& root) {
  app::InitOrder order;
  order.data.root = root;
  order.settings.link_address = order.settings.link_listen;
  order.settings.api_url = "https://127.0.0.1:8443";
  order.trust_domain = "relay.test";
  order.organisation = "acme";
  order.owner_name = "ada";
  order.owner_email = "ada@acme.example";
  return order;
}

inline app::InitOrder made_relay(const TempDir& folder) {
  auto order = order_in(folder.path("relay"));
  REQUIRE(app::init(order, kClock));
  return order;
}

}  // namespace sallyport::test
