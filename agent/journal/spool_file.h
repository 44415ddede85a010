#pragma once

#include "agent/platform/fd.h"
#include "shared/base/result.h"

#include <filesystem>
#include <span>

namespace sallyport::journal {

// The few file operations the spool needs; they block. Errors become those of steps, which leave this machine, so
// their texts name no path.
Result<void> make_spool_folder(const std::filesystem::path& folder);        // 0700; one that exists is fine
Result<platform::Fd> create_spool_file(const std::filesystem::path& file);  // new, 0600
Result<platform::Fd> open_spool_file(const std::filesystem::path& file);
Result<void> append(const platform::Fd& file, std::span<const std::byte> bytes);
Result<std::size_t> read_up_to(const platform::Fd& file, std::span<std::byte> into);  // less only at the end
// Lets the system begin to write what was appended to the disk, so that synchronise() finds less to do.
void start_writing_out(const platform::Fd& file);
Result<void> synchronise(const platform::Fd& file);
// Makes the new name of a file durable.
Result<void> synchronise_folder(const std::filesystem::path& folder);

}  // namespace sallyport::journal
