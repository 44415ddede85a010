#include "relay/identity/root_rotation.h"

#include "relay/identity/deployment_files.h"

#include <fmt/format.h>

#include <charconv>

namespace sallyport::identity {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxBaseName = 56;  // a common name has 64 characters at most (RFC 5280, appendix A)

// "Sallyport root NAME", "Sallyport root NAME 2", ...: a root never has its predecessor's name.
std::string successor_name(const std::string& present) {
  const auto space = present.rfind(' ');
  const auto tail = space == std::string::npos ? std::string_view() : std::string_view(present).substr(space + 1);
  unsigned number = 1;
  const auto [end, problem] = std::from_chars(tail.data(), tail.data() + tail.size(), number);
  const bool numbered = problem == std::errc() && end == tail.data() + tail.size() && number < 1'000'000;
  const auto base = numbered ? present.substr(0, space) : present;
  return fmt::format("{} {}", base.substr(0, kMaxBaseName), numbered ? number + 1 : 2);
}

// root.pem is the prepared root already: the rest of the switch, in an order that every reader understands.
Result<void> finish_switch(const fs::path& directory, const crypto::Certificate& root, FileChanges& changes) {
  SP_TRY(const auto key, files::if_present(files::read_key(directory / files::kRootKey)));
  const bool of_another = key && key->public_key_der() != root.public_key_der();
  if (of_another) SP_CHECK(changes.rename(directory / files::kRootKey, directory / files::kOldRootKey));
  if ((!key || of_another) && fs::exists(directory / files::kNextRootKey))
    SP_CHECK(changes.rename(directory / files::kNextRootKey, directory / files::kRootKey));
  if (fs::exists(directory / files::kNextServer))
    SP_CHECK(changes.rename(directory / files::kNextServer, directory / files::kServer));
  SP_CHECK(changes.remove(directory / files::kNextCross));
  return changes.remove(directory / files::kNextRoot);
}

// A switch that never took place.
Result<void> forget_switch(const fs::path& directory, FileChanges& changes) {
  SP_CHECK(changes.remove(directory / files::kNextServer));
  SP_CHECK(changes.remove(directory / files::kCross));
  return changes.remove(directory / files::kOldRoot);
}

Result<void> finish_retirement(const fs::path& directory, FileChanges& changes) {
  SP_TRY(const auto stored, files::read_server(directory / files::kServer));
  if (stored.has_cross) {
    const auto text = files::format_server(stored.server, {});
    SP_CHECK(changes.replace(directory / files::kServer, text.reveal(), Readers::owner));
  }
  return fs::exists(directory / files::kCross) ? changes.remove(directory / files::kCross) : Result<void>();
}

Result<void> settle(const fs::path& directory, FileChanges& changes) {
  SP_TRY(const auto root, files::read_certificate(directory / files::kRoot));
  const auto next = files::read_certificate(directory / files::kNextRoot);
  if (next && *next == root) SP_CHECK(finish_switch(directory, root, changes));
  SP_TRY(const auto old_root, files::if_present(files::read_certificate(directory / files::kOldRoot)));
  if (old_root && *old_root == root) SP_CHECK(forget_switch(directory, changes));
  return old_root ? Result<void>() : finish_retirement(directory, changes);
}

Result<Deployment> settled(const fs::path& directory, FileChanges& changes) {
  SP_CHECK(settle(directory, changes));
  return load_deployment(directory);
}

Result<crypto::Authority> present_root(Deployment deployment) {
  if (deployment.predecessor)
    return fail(Errc::conflict, "the last rotation is not over: retire the old root before another one is prepared");
  if (deployment.standby) {
    return fail(Errc::conflict, fmt::format("\"{}\" is prepared already: switch to it, or take the files next-root.* "
                                            "away to prepare another one",
                                            deployment.standby->common_name()));
  }
  if (!deployment.root_key)
    return fail(Errc::unavailable, "the root key is offline: put root.key back, for it has to sign the new root");
  return crypto::Authority{deployment.root, *std::move(deployment.root_key)};
}

struct Standby {
  crypto::Authority root;
  Predecessor before;
};

Result<Standby> read_standby(const fs::path& directory, const Deployment& deployment, const Clock& clock) {
  if (deployment.predecessor)
    return fail(Errc::conflict, "the switch took place already: what is left is to retire the old root");
  if (!deployment.standby) return fail(Errc::conflict, "nothing to switch to: prepare a root first");
  SP_TRY(auto key, files::if_present(files::read_key(directory / files::kNextRootKey)));
  if (!key) return fail(Errc::unavailable, "the prepared root's key is offline: put next-root.key back");
  if (key->public_key_der() != deployment.standby->public_key_der())
    return fail(Errc::invalid, "next-root.key is not the key of next-root.pem");
  SP_TRY(auto cross, files::read_certificate(directory / files::kNextCross));
  Predecessor before{deployment.root, std::move(cross)};
  if (auto fits = crypto::check_succession(before, *deployment.standby, clock.wall()); !fits)
    return in_context("next-root.pem cannot take over", fits.error());
  return Standby{{*deployment.standby, *std::move(key)}, std::move(before)};
}

}  // namespace

Result<crypto::Certificate> prepare_root(const fs::path& directory, const Clock& clock, FileChanges& changes) {
  SP_TRY(const auto lock, DirectoryLock::take(directory, kCommandPatience));
  SP_TRY(auto deployment, settled(directory, changes));
  SP_TRY(const auto present, present_root(std::move(deployment)));
  SP_TRY(const auto next, crypto::make_root(successor_name(present.certificate.common_name()), clock));
  SP_TRY(const auto cross, crypto::make_cross_certificate(present, next.certificate, clock));
  SP_CHECK(changes.replace(directory / files::kNextRootKey, next.key.to_pem().reveal(), Readers::owner));
  SP_CHECK(changes.replace(directory / files::kNextCross, cross.pem(), Readers::everybody));
  SP_CHECK(changes.replace(directory / files::kNextRoot, next.certificate.pem(), Readers::everybody));
  return next.certificate;
}

Result<void> switch_root(const fs::path& directory, const Clock& clock, FileChanges& changes) {
  SP_TRY(const auto lock, DirectoryLock::take(directory, kCommandPatience));
  SP_TRY(const auto deployment, settled(directory, changes));
  SP_TRY(const auto standby, read_standby(directory, deployment, clock));
  const auto& [root, before] = standby;
  auto names = files::names_of(deployment.server.certificate);
  SP_TRY(const auto server, crypto::make_server_certificate(root, std::move(names), clock));
  SP_CHECK(changes.replace(directory / files::kOldRoot, before.root.pem(), Readers::everybody));
  SP_CHECK(changes.replace(directory / files::kCross, before.cross.pem(), Readers::everybody));
  SP_CHECK(
      changes.replace(directory / files::kNextServer, files::format_server(server, before).reveal(), Readers::owner));
  SP_CHECK(changes.replace(directory / files::kRoot, root.certificate.pem(), Readers::everybody));  // it takes place
  return settle(directory, changes);
}

Result<void> retire_root(const fs::path& directory, FileChanges& changes) {
  SP_TRY(const auto lock, DirectoryLock::take(directory, kCommandPatience));
  SP_TRY(const auto deployment, settled(directory, changes));
  if (!deployment.predecessor) return fail(Errc::conflict, "there is no old root to retire");
  SP_CHECK(changes.remove(directory / files::kOldRoot));  // it takes place
  return settle(directory, changes);
}

Result<void> settle_deployment(const fs::path& directory, FileChanges& changes, std::chrono::milliseconds patience) {
  SP_TRY(const auto lock, DirectoryLock::take(directory, patience));
  return settle(directory, changes);
}

Result<void> settle_deployment(const fs::path& directory, std::chrono::milliseconds patience) {
  FileChanges changes;
  return settle_deployment(directory, changes, patience);
}

}  // namespace sallyport::identity
