#pragma once

#include <expected>
#include <string>

namespace sallyport::policy {

// The local policy says no. `rule` is where the operator finds it: "policy.yaml:12 connections.erp-db.sql.verbs".
struct Refusal {
  std::string rule;
  std::string message;  // what was asked for, and what the rule allows
  friend bool operator==(const Refusal&, const Refusal&) = default;
};

template <class T = void>
using Verdict = std::expected<T, Refusal>;

}  // namespace sallyport::policy
