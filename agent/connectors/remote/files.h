#pragma once

#include "agent/connectors/bodies.h"
#include "agent/connectors/call_limits.h"
#include "agent/connectors/step_error.h"
#include "agent/platform/beneath.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::connectors::remote {

enum class Kind { file, directory, other };

struct Facts {
  Kind kind = Kind::other;
  platform::FileFacts file;  // servers tell no identity
};

// A file of a directory.
struct Entry {
  std::string name;
  platform::FileFacts facts;
  bool is_named = true;  // false: no recipe could write its name down
};

// The files of a server below one directory. Paths are relative to it, as clean_path() gives them, and messages name
// them; the directory itself is in none. Symbolic links are not followed: a path that leads through one is class
// "policy". The server could lie about all of it; what it says is checked only so far that it cannot name files
// elsewhere. Blocks within the limits; one thread at a time. Class "connection" when the session broke.
class Files {
 public:
  virtual ~Files() = default;

  virtual StepResult<Facts> facts(const std::string& path, const CallLimits& limits) = 0;
  // Regular, not hidden files of a directory, until `visit` returns an error; names that no server has end it as class
  // "format".
  using Visit = std::function<StepResult<void>(Entry entry)>;
  virtual StepResult<void> each_file(const std::string& directory, const CallLimits& limits, const Visit& visit) = 0;

  // What each_file() did not tell of files (paths) that are wanted, where asking for all would be too much: their
  // times. Those that are gone are left out.
  virtual StepResult<void> complete(std::vector<platform::DirectoryEntry>& files, const CallLimits& limits);

  // Gives the bytes of a file from `from` on, until `take` returns an error; then what is known of it after the last.
  using Take = std::function<StepResult<void>(std::span<const std::byte> bytes)>;
  virtual StepResult<platform::FileFacts> read(const std::string& path, std::uint64_t from, const Take& take,
                                               const CallLimits& limits) = 0;
  // Writes what `source` gives from the byte `at` on, which is moved on as it is taken; 0: the file is made anew. Then
  // what the server says of the file.
  virtual StepResult<platform::FileFacts> write(const std::string& path, std::uint64_t& at, ByteReader& source,
                                                const CallLimits& limits) = 0;
  // Where write() may go on after it had come to `at` and the connection broke.
  virtual StepResult<std::uint64_t> reached(const std::string& path, std::uint64_t at, const CallLimits& limits) = 0;

  // Changes: class "in_doubt" in front when the server did not answer.
  virtual StepResult<void> rename(const std::string& from, const std::string& to, platform::Replace replace,
                                  const CallLimits& limits) = 0;
  virtual StepResult<void> remove(const std::string& path, const CallLimits& limits) = 0;

  StepResult<platform::FileFacts> file_facts(const std::string& path, const CallLimits& limits);  // of a regular file
  StepResult<bool> exists(const std::string& path, const CallLimits& limits);
};

// What a server lists: `none` cannot be a name (empty, with "/" or NUL), `unusable` is one that no recipe can write
// down (control characters, no UTF-8).
enum class NameVerdict { good, unusable, none };
NameVerdict judge_name(std::string_view name);

// Class "policy": a directory that is, or lies behind, a symbolic link.
std::unexpected<StepError> behind_link(std::string_view directory);

// A change whose answer did not come may have happened.
StepError without_answer(StepError error);

// The directory of a path below the root; "." for the root itself.
std::string parent_of(const std::string& path);

}  // namespace sallyport::connectors::remote
