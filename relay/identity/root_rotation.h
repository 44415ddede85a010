#pragma once

#include "relay/identity/deployment.h"
#include "relay/identity/private_file.h"

namespace sallyport::identity {

// One root takes over from another in three steps, each a command of its own (docs/operations/relay.md): a new root is
// prepared and cross-certified by the present one, the relay switches to it, the old one is retired. All work beside a
// running relay, which is told to look afterwards; they only change files, so that at any moment a directory is as
// before the step or as after it. Blocking. Steps out of order are Errc::conflict, with what to do instead.

// Makes next-root.*. unavailable: the present root's key, which has to sign, is offline. Gives the new root.
Result<crypto::Certificate> prepare_root(const std::filesystem::path& directory, const Clock& clock,
                                         FileChanges& changes);
// The prepared root becomes root.pem, with a server certificate of its own; the one before is kept as old-root.pem with
// its word for the new one, its key as old-root.key, which nothing needs any more. unavailable: next-root.key is
// offline.
Result<void> switch_root(const std::filesystem::path& directory, const Clock& clock, FileChanges& changes);
// Forgets the old root. Whether somebody still needs it is the caller's question.
Result<void> retire_root(const std::filesystem::path& directory, FileChanges& changes);

// Finishes what a step that was cut short after it took place left undone, and takes away what one that did not take
// place left behind. No change to a directory in order. timed_out: as DirectoryLock.
Result<void> settle_deployment(const std::filesystem::path& directory, FileChanges& changes,
                               std::chrono::milliseconds patience = kCommandPatience);
Result<void> settle_deployment(const std::filesystem::path& directory,
                               std::chrono::milliseconds patience = kCommandPatience);

}  // namespace sallyport::identity
