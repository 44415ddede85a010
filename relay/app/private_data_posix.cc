#include "relay/app/private_data.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sys/stat.h>

#include <vector>

namespace sallyport::app {
namespace {

constexpr mode_t kOthers = 077;

bool is_open_to_others(const std::filesystem::path& path) {
  struct stat facts{};
  return ::stat(path.c_str(), &facts) == 0 && (facts.st_mode & kOthers) != 0;
}

}  // namespace

Result<void> check_private(const DataDirectory& data) {
  std::vector<std::string> faults;
  const auto expect = [&](const std::filesystem::path& path, std::string_view mode) {
    if (!is_open_to_others(path)) return;
    faults.push_back(fmt::format("{} may be read by others: chmod {} {}", path.string(), mode, path.string()));
  };
  for (const auto& folder : {data.root, data.deployment(), data.keys(), data.logs()}) expect(folder, "700");
  for (const auto& database : {data.database(), data.key_database()}) {
    expect(database, "600");
    for (const auto* log : {"-wal", "-shm"}) expect(database.string() + log, "600");
  }
  expect(data.first_token(), "600");
  if (faults.empty()) return {};
  return fail(Errc::forbidden, fmt::format("{}", fmt::join(faults, "\n")));
}

}  // namespace sallyport::app
