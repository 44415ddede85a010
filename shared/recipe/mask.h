#pragma once

#include "shared/base/value.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::recipe {

inline constexpr std::size_t kMaxMaskPaths = 64;
inline constexpr std::size_t kMaxMaskDepth = 16;
inline constexpr std::size_t kMaxMaskMember = 64;  // bytes of one member of a path

// What is kept from everybody who reads a job: nothing, everything, or what stands at some paths. A path names members
// of maps and attributes of handles; where it meets a list it goes on in every element.
struct Mask {
  using Path = std::vector<std::string>;  // "output.rows" is {"output", "rows"}

  bool everything = false;
  std::vector<Path> paths;  // as written

  bool nothing() const { return !everything && paths.empty(); }
  // What it says of the member `name` alone.
  Mask below(std::string_view name) const;
  // The same of a value that stands under `name`.
  Mask under(std::string_view name) const;
  // Whether any of it may be in what `place` names: a path to it, or to what holds it.
  bool touches(std::span<const std::string> place) const;

  // A copy of the value in which what is masked has the label `masked`.
  Value labelled(const Value& value) const;
  // A copy without what is masked; nothing is left of a value that is masked as a whole (null).
  Value without(const Value& value) const;

  friend bool operator==(const Mask&, const Mask&) = default;
};

std::string path_text(const Mask::Path& path);

}  // namespace sallyport::recipe
