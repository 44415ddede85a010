#include "agent/connectors/archive/zip_archive.h"

#include "agent/connectors/archive/zlib.h"

#include <algorithm>
#include <array>

namespace sallyport::connectors::archive {
namespace {

constexpr std::uint64_t kSkipPiece = 8u << 20;

struct Tail {
  Bytes bytes;
  std::uint64_t offset = 0;  // of its first byte
};

// What a handle says of its body's size is a hint: the body is read to its end all the same.
std::uint64_t likely_size(const Handle& source) {
  const auto size = source.attributes.find(Value("size"));
  if (size == source.attributes.end() || !size->second.is(Value::Kind::int64)) return 0;
  return static_cast<std::uint64_t>(std::max<std::int64_t>(size->second.as_int(), 0));
}

// The last kZipTail bytes or somewhat more.
StepResult<Tail> read_tail(ByteReader& reader, std::uint64_t offset, const Check& check) {
  Tail tail{.bytes = {}, .offset = offset};
  std::array<std::byte, 65536> buffer;
  for (;;) {
    SP_CHECK(check());
    SP_TRY(const auto got, reader.read(buffer));
    if (got == 0) return tail;
    tail.bytes.insert(tail.bytes.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(got));
    if (tail.bytes.size() < 4 * kZipTail) continue;
    const auto spare = tail.bytes.size() - kZipTail;
    tail.bytes.erase(tail.bytes.begin(), tail.bytes.begin() + static_cast<std::ptrdiff_t>(spare));
    tail.offset += spare;
  }
}

// Checks what an entry gives against what the directory says of it.
class CheckedEntry final : public ByteReader {
 public:
  CheckedEntry(std::unique_ptr<ByteReader> plain, const ZipEntry& entry, Crc32 crc)
      : plain_(std::move(plain)), size_(entry.size), expected_(entry.crc), crc_(crc) {}

  StepResult<std::size_t> read(std::span<std::byte> into) override {
    SP_TRY(const auto got, plain_->read(into));
    crc_.add(into.first(got));
    given_ += got;
    if (given_ > size_ || (got == 0 && given_ != size_))
      return step_fail("format", "an entry has not the size it says");
    if (got == 0 && crc_.value() != expected_) return step_fail("format", "an entry is damaged: its CRC is wrong");
    return got;
  }

 private:
  std::unique_ptr<ByteReader> plain_;
  std::uint64_t size_, given_ = 0;
  std::uint32_t expected_;
  Crc32 crc_;
};

}  // namespace

// The next bytes of an archive, as many as one entry has.
class PackedBytes final : public ByteReader {
 public:
  PackedBytes(ZipArchive& archive, std::uint64_t size) : archive_(archive), left_(size) {}

  StepResult<std::size_t> read(std::span<std::byte> into) override {
    const auto wanted = std::min<std::uint64_t>(left_, into.size());
    if (wanted == 0) return std::size_t{0};
    SP_CHECK(archive_.check_());
    SP_TRY(const auto got, archive_.reader_->read(into.first(static_cast<std::size_t>(wanted))));
    if (got == 0) return step_fail("format", "the ZIP ends within an entry");
    archive_.at_ += got;
    left_ -= got;
    return got;
  }

 private:
  ZipArchive& archive_;
  std::uint64_t left_;
};

StepResult<std::unique_ptr<ZipArchive>> ZipArchive::open(Handle source, Bodies& bodies, Check check) {
  std::unique_ptr<ZipArchive> archive(new ZipArchive(std::move(source), bodies, std::move(check)));
  SP_CHECK(archive->read_directory());
  return archive;
}

StepResult<void> ZipArchive::read_directory() {
  const auto size = likely_size(source_);
  SP_CHECK(go_to(size > kZipTail ? size - kZipTail : 0));
  SP_TRY(const auto tail, read_tail(*reader_, at_, check_));
  const auto last = std::span(tail.bytes).last(std::min(tail.bytes.size(), kZipTail));
  SP_TRY(const auto directory, parse_zip_end(last, tail.offset + tail.bytes.size() - last.size()));
  reader_.reset();
  SP_CHECK(go_to(directory.offset));
  Bytes bytes(static_cast<std::size_t>(directory.size));
  SP_CHECK(read_exactly(bytes));
  SP_TRY(entries_, parse_zip_directory(bytes, directory));
  return {};
}

// Forwards on the open reader; backwards with a new one.
StepResult<void> ZipArchive::go_to(std::uint64_t offset) {
  if (!reader_ || offset < at_) {
    SP_TRY(reader_, bodies_.open_bytes(source_));
    at_ = 0;
  }
  while (at_ < offset) {
    SP_CHECK(check_());
    SP_TRY(const auto skipped, reader_->skip(std::min(kSkipPiece, offset - at_)));
    if (skipped == 0) return step_fail("format", "the ZIP ends too early");
    at_ += skipped;
  }
  return {};
}

StepResult<void> ZipArchive::read_exactly(std::span<std::byte> into) {
  while (!into.empty()) {
    SP_TRY(const auto got, reader_->read(into));
    if (got == 0) return step_fail("format", "the ZIP ends too early");
    at_ += got;
    into = into.subspan(got);
  }
  return {};
}

StepResult<std::unique_ptr<ByteReader>> ZipArchive::open_entry(const ZipEntry& entry, std::uint64_t ratio) {
  const auto method = static_cast<Method>(entry.method);
  if (entry.is_encrypted()) return step_fail("format", "an entry is encrypted, which this agent does not open");
  if (method != Method::stored && method != Method::deflated)
    return step_fail("format", "an entry is packed by a method other than DEFLATE, which this agent does not know");
  SP_CHECK(go_to(entry.offset));
  Bytes header(kLocalHeader);
  SP_CHECK(read_exactly(header));
  SP_TRY(const auto rest, local_header_rest(header));
  header.resize(kLocalHeader + rest);
  SP_CHECK(read_exactly(std::span(header).subspan(kLocalHeader)));
  SP_CHECK(check_local_header(header, entry));
  std::unique_ptr<ByteReader> plain = std::make_unique<PackedBytes>(*this, entry.packed);
  if (method == Method::deflated) {
    SP_TRY(auto inflater, make_inflater(Wrap::raw));
    plain = std::make_unique<TransformedBytes>(std::move(plain), std::move(inflater), ratio);
  }
  SP_TRY(const auto crc, Crc32::begin());
  return std::make_unique<CheckedEntry>(std::move(plain), entry, crc);
}

}  // namespace sallyport::connectors::archive
