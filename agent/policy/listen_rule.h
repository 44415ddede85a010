#pragma once

#include "agent/policy/refusal.h"
#include "shared/recipe/problem.h"
#include "shared/recipe/yaml.h"

#include <string>
#include <string_view>
#include <vector>

namespace sallyport::policy {

// What recipes may listen for on a connection of kind "http-listen". The default allows nothing, and then nothing
// listens.
struct ListenRule {
  struct Entry {
    std::string path;
    std::vector<std::string> methods{"POST"};
    std::vector<std::string> recipes;  // by name; empty: any
  };
  std::vector<Entry> entries;
  std::string rule;  // "policy.yaml:9 connections.hooks.listen"

  Verdict<> check(std::string_view path, std::string_view method, std::string_view recipe) const;
};

// `listen` of a connection in policy.yaml; `rule` is the place it stands at.
ListenRule read_listen_rule(const yaml::Node& list, yaml::Report& report, std::string rule);

// "/github/push": at most 256 unreserved characters (RFC 3986) between slashes, no dots alone, so that it has one form.
bool is_listen_path(std::string_view path);

}  // namespace sallyport::policy
