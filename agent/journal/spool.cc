#include "agent/journal/spool.h"

#include "agent/journal/spool_file.h"
#include "agent/platform/secret_file.h"
#include "shared/crypto/aead.h"
#include "shared/crypto/random.h"

#include <algorithm>

namespace sallyport::journal {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kChunk = 64u << 10;
constexpr std::size_t kSealedChunk = kChunk + crypto::kSealOverhead;
constexpr std::uint64_t kWrittenOut = 8u << 20;  // bytes from one start of writing out to the next
constexpr std::size_t kNameBytes = 16;

enum class Place { inner, last };

// The key is the file's own, so the associated data only has to say where in the file a chunk belongs.
Bytes bound_to(std::uint64_t index, Place place) {
  Bytes bound(9);
  for (std::size_t i = 0; i < 8; ++i) bound[i] = static_cast<std::byte>(index >> (8 * i));
  bound[8] = static_cast<std::byte>(place);
  return bound;
}

Result<Secret> file_key(const Secret& key, const JobId& job, const std::string& name) {
  return crypto::hkdf_sha256(key, as_bytes(job.value + "/" + name), as_bytes("sallyport spool 1"),
                             crypto::kAeadKeySize);
}

// Ids and names become parts of paths: only what we make ourselves is let through.
bool is_plain_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

std::unexpected<Error> damaged() {
  return fail(Errc::invalid, "a spool file is damaged or cut short: run the job again");
}

std::uint64_t size_of_tree(const fs::path& folder) {
  std::uint64_t total = 0;
  std::error_code ignored;
  for (const auto& entry : fs::recursive_directory_iterator(folder, ignored)) {
    if (entry.is_regular_file(ignored)) total += entry.file_size(ignored);
  }
  return total;
}

Result<void> remove_tree(const fs::path& folder) {
  std::error_code why;
  fs::remove_all(folder, why);
  if (why) return fail(Errc::unavailable, "removing " + folder.string() + ": " + why.message());
  return {};
}

}  // namespace

Spool::Spool(fs::path dir, Secret key, SpoolLimits limits)
    : dir_(std::move(dir)), key_(std::move(key)), limits_(limits) {}

Result<std::unique_ptr<Spool>> Spool::open(fs::path dir, Secret key, const std::set<JobId>& alive, SpoolLimits limits) {
  SP_CHECK(platform::prepare_private_directory(dir.string()));
  std::unique_ptr<Spool> spool(new Spool(std::move(dir), std::move(key), limits));
  SP_CHECK(spool->remove_orphans(alive));
  spool->used_ = size_of_tree(spool->dir_);
  return spool;
}

Result<void> Spool::remove_orphans(const std::set<JobId>& alive) {
  std::error_code why;
  for (const auto& entry : fs::directory_iterator(dir_, why)) {
    if (!alive.contains(JobId(entry.path().filename().string()))) SP_CHECK(remove_tree(entry.path()));
  }
  if (why) return fail(Errc::unavailable, "reading " + dir_.string() + ": " + why.message());
  return {};
}

Result<void> Spool::reserve(std::uint64_t bytes) {
  const std::uint64_t before = used_.fetch_add(bytes);
  if (before + bytes <= limits_.max_total) return {};
  release(bytes);
  return fail(Errc::exhausted, "the spool is full (" + std::to_string(limits_.max_total) +
                                   " bytes): wait until other jobs have ended, or raise its limit");
}

Result<void> Spool::remove(const JobId& job, const std::string& name) {
  if (!is_plain_name(job.value) || !is_plain_name(name)) return fail(Errc::invalid, "not the name of a spooled body");
  const fs::path file = dir_ / job.value / name;
  std::error_code why;
  const std::uint64_t size = fs::file_size(file, why);
  if (why == std::errc::no_such_file_or_directory) return {};
  if (!why) fs::remove(file, why);
  if (why) return fail(Errc::unavailable, "removing " + file.string() + ": " + why.message());
  release(size);
  return {};
}

Result<void> Spool::remove_job(const JobId& job) {
  if (!is_plain_name(job.value)) return fail(Errc::invalid, "not a job's name");
  const fs::path folder = dir_ / job.value;
  const std::uint64_t size = size_of_tree(folder);
  SP_CHECK(remove_tree(folder));
  release(size);
  return {};
}

// ---------------------------------------------------------------- writing

struct SpoolWriter::Impl {
  Spool& spool;
  fs::path file;
  std::string name;
  Secret key;
  platform::Fd fd;
  Bytes pending = {};  // less than a chunk, or a whole one that may turn out to be the last
  std::uint64_t index = 0;
  std::uint64_t plain = 0;
  std::uint64_t stored = 0;
  std::uint64_t written_out = 0;  // of these
  std::uint64_t max_body = 0;
  bool committed = false;

  Result<void> flush(Place place) {
    SP_TRY(const Bytes sealed, crypto::seal(key, pending, bound_to(index, place)));
    SP_CHECK(spool.reserve(sealed.size()));
    stored += sealed.size();
    SP_CHECK(append(fd, sealed));
    if (stored - written_out >= kWrittenOut) {
      start_writing_out(fd);
      written_out = stored;
    }
    ++index;
    pending.clear();
    return {};
  }
};

Result<std::unique_ptr<SpoolWriter>> Spool::create(const JobId& job) {
  if (!is_plain_name(job.value)) return fail(Errc::invalid, "not a job's name");
  const fs::path folder = dir_ / job.value;
  SP_CHECK(make_spool_folder(folder));
  const std::string name = hex(crypto::random_bytes(kNameBytes));
  SP_TRY(Secret key, file_key(key_, job, name));
  const fs::path file = folder / name;
  SP_TRY(platform::Fd fd, create_spool_file(file));
  auto impl = std::make_unique<SpoolWriter::Impl>(SpoolWriter::Impl{*this, file, name, std::move(key), std::move(fd)});
  impl->max_body = limits_.max_body;
  impl->pending.reserve(kChunk);
  return std::unique_ptr<SpoolWriter>(new SpoolWriter(std::move(impl)));
}

SpoolWriter::SpoolWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

SpoolWriter::~SpoolWriter() {
  if (impl_->committed) return;
  std::error_code ignored;
  fs::remove(impl_->file, ignored);
  impl_->spool.release(impl_->stored);
}

std::uint64_t SpoolWriter::size() const { return impl_->plain; }

Result<void> SpoolWriter::write(std::span<const std::byte> bytes) {
  if (impl_->plain + bytes.size() > impl_->max_body) {
    return fail(Errc::too_large, "a spooled body is over " + std::to_string(impl_->max_body) + " bytes");
  }
  impl_->plain += bytes.size();
  while (!bytes.empty()) {
    if (impl_->pending.size() == kChunk) SP_CHECK(impl_->flush(Place::inner));
    const auto take = bytes.first(std::min(bytes.size(), kChunk - impl_->pending.size()));
    impl_->pending.insert(impl_->pending.end(), take.begin(), take.end());
    bytes = bytes.subspan(take.size());
  }
  return {};
}

Result<std::string> SpoolWriter::commit() {
  SP_CHECK(impl_->flush(Place::last));
  SP_CHECK(synchronise(impl_->fd));
  SP_CHECK(synchronise_folder(impl_->file.parent_path()));
  SP_CHECK(synchronise_folder(impl_->file.parent_path().parent_path()));  // the job's folder may be new
  impl_->committed = true;
  return impl_->name;
}

// ---------------------------------------------------------------- reading

struct SpoolReader::Impl {
  Secret key;
  platform::Fd fd;
  Bytes ahead =
      {};  // the sealed chunk after the current one: whether there is one tells if the current one is the last
  Secret plain = {};
  std::size_t given = 0;
  std::uint64_t index = 0;
  bool ended = false;

  Result<Bytes> next_sealed() {
    Bytes sealed(kSealedChunk);
    SP_TRY(const std::size_t got, read_up_to(fd, sealed));
    sealed.resize(got);
    return sealed;
  }

  Result<void> advance() {
    SP_TRY(Bytes following, next_sealed());
    const Place place = following.empty() ? Place::last : Place::inner;
    auto opened = crypto::open(key, ahead, bound_to(index, place));
    if (!opened) return damaged();
    plain = *std::move(opened);
    given = 0;
    ++index;
    ended = place == Place::last;
    ahead = std::move(following);
    return {};
  }
};

Result<std::unique_ptr<SpoolReader>> Spool::read(const JobId& job, const std::string& name) {
  if (!is_plain_name(job.value) || !is_plain_name(name)) return fail(Errc::invalid, "not the name of a spooled body");
  SP_TRY(Secret key, file_key(key_, job, name));
  SP_TRY(platform::Fd fd, open_spool_file(dir_ / job.value / name));
  auto impl = std::make_unique<SpoolReader::Impl>(SpoolReader::Impl{std::move(key), std::move(fd)});
  SP_TRY(impl->ahead, impl->next_sealed());
  return std::unique_ptr<SpoolReader>(new SpoolReader(std::move(impl)));
}

SpoolReader::SpoolReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SpoolReader::~SpoolReader() = default;

Result<std::size_t> SpoolReader::read(std::span<std::byte> into) {
  while (impl_->given == impl_->plain.size()) {
    if (impl_->ended) return 0;
    SP_CHECK(impl_->advance());
  }
  const auto rest = as_bytes(impl_->plain.reveal()).subspan(impl_->given);
  const std::size_t count = std::min(rest.size(), into.size());
  std::copy_n(rest.begin(), count, into.begin());
  impl_->given += count;
  return count;
}

}  // namespace sallyport::journal
