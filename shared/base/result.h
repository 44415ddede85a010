#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace sallyport {

// What a caller may branch on. Add a code only when some caller must tell it apart.
// One table each maps it to HTTP (relay/api), to the wire (shared/link) and to "retry?" (agent/runner).
enum class Errc {
  cancelled,        // the caller asked for it to stop
  timed_out,        // a deadline passed
  unavailable,      // the other side is down or gone; trying again may help
  unauthenticated,  // no or wrong proof of identity
  forbidden,        // known identity, not allowed
  not_found,        // absent, or of another organisation: never told apart
  conflict,         // state changed underneath, duplicate, stale epoch
  invalid,          // the input is wrong; trying again cannot help
  too_large,        // over a stated limit
  exhausted,        // a bounded resource is full; slow down
  internal,         // a broken invariant of ours
};

std::string_view to_string(Errc code);

// `message` is for logs and operators: what happened, where, what to do.
// Never a secret, a row or a file's content.
struct Error {
  Errc code = Errc::internal;
  std::string message;

  friend bool operator==(const Error&, const Error&) = default;
};

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Errc code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

// Puts where it happened in front of what happened: "reading policy.yaml: no such file".
inline std::unexpected<Error> in_context(std::string_view where, Error error) {
  error.message.insert(0, std::string(where) + ": ");
  return std::unexpected(std::move(error));
}

}  // namespace sallyport

// SP_TRY(auto value, call()) leaves the function with the error, or goes on with the value.
// SP_CO_TRY is the same inside a coroutine. SP_CHECK/SP_CO_CHECK take a Result<void>.
#define SP_JOIN_(a, b) a##b
#define SP_JOIN(a, b) SP_JOIN_(a, b)
#define SP_TRY_(leave, tmp, decl, ...)                     \
  auto tmp = (__VA_ARGS__);                                \
  if (!tmp) leave std::unexpected(std::move(tmp).error()); \
  decl = *std::move(tmp)
#define SP_CHECK_(leave, tmp, ...) \
  if (auto tmp = (__VA_ARGS__); !tmp) leave std::unexpected(std::move(tmp).error())
#define SP_TRY(decl, ...) SP_TRY_(return, SP_JOIN(sp_result_, __LINE__), decl, __VA_ARGS__)
#define SP_CO_TRY(decl, ...) SP_TRY_(co_return, SP_JOIN(sp_result_, __LINE__), decl, __VA_ARGS__)
#define SP_CHECK(...) SP_CHECK_(return, SP_JOIN(sp_result_, __LINE__), __VA_ARGS__)
#define SP_CO_CHECK(...) SP_CHECK_(co_return, SP_JOIN(sp_result_, __LINE__), __VA_ARGS__)
