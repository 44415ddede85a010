#pragma once

#include "agent/policy/address_class.h"
#include "agent/policy/refusal.h"
#include "shared/recipe/yaml.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::policy {

inline constexpr std::array<std::string_view, 7> kHttpMethods{"GET", "HEAD",  "OPTIONS", "POST",
                                                              "PUT", "PATCH", "DELETE"};

struct HttpRule {
  std::vector<std::string> methods;
  std::vector<std::string> paths;  // "/api/orders/*", "/api/**"
  std::string rule;
};

// What steps may ask of the server of one connection of kind "http". Deny by default.
struct HttpPolicy {
  enum class Redirects { none, same_origin };

  std::vector<HttpRule> allow;
  Redirects redirects = Redirects::none;
  bool clear_text = false;
  unsigned addresses = static_cast<unsigned>(AddressClass::public_);  // a set of AddressClass
  std::string allow_rule, clear_text_rule, addresses_rule;            // where they stand

  // `segments` of the whole path as the server reads it, decoded; an empty one at the end is a slash there.
  Verdict<> check_request(std::string_view method, std::span<const std::string> segments) const;
  Verdict<> check_clear_text() const;
  bool allows(AddressClass address_class) const;
  Refusal refused_address(AddressClass address_class) const;
};

// A pattern of paths: segments between slashes, each as in glob.h; `**` at the end is everything below.
bool is_path_pattern(std::string_view pattern);
bool path_matches(std::string_view pattern, std::span<const std::string> segments);

// The member `http` of a connection in policy.yaml, which is called `path` ("connections.erp.http").
HttpPolicy read_http_policy(const yaml::Node& node, yaml::Report& report, std::string_view file,
                            const std::string& path);

}  // namespace sallyport::policy
