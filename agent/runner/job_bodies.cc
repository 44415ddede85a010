#include "agent/runner/job_bodies.h"

#include "agent/connectors/translate.h"
#include "shared/expr/compare.h"
#include "shared/expr/expr.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sallyport::runner {
namespace {

using connectors::step_fail;
using connectors::StepResult;

constexpr std::string_view kSpool = "spool";
constexpr std::size_t kBatchBytes = 1u << 20;
constexpr std::size_t kRowBytes = expr::EvalLimits{}.max_output_bytes - 1'024;  // with room for what is around it

class SpoolBytes final : public connectors::ByteReader {
 public:
  explicit SpoolBytes(std::unique_ptr<journal::SpoolReader> reader) : reader_(std::move(reader)) {}
  StepResult<std::size_t> read(std::span<std::byte> into) override { return connectors::to_step(reader_->read(into)); }

 private:
  std::unique_ptr<journal::SpoolReader> reader_;
};

class MemoryBytes final : public connectors::ByteReader {
 public:
  explicit MemoryBytes(std::shared_ptr<const journal::MemorySpool::Chunks> chunks) : chunks_(std::move(chunks)) {}

  StepResult<std::size_t> read(std::span<std::byte> into) override {
    while (chunk_ < chunks_->size() && given_ == (*chunks_)[chunk_].size()) ++chunk_, given_ = 0;
    if (chunk_ == chunks_->size()) return std::size_t{0};
    const auto rest = as_bytes((*chunks_)[chunk_].reveal()).subspan(given_);
    const auto count = std::min(rest.size(), into.size());
    std::copy_n(rest.begin(), count, into.begin());
    given_ += count;
    return count;
  }

 private:
  std::shared_ptr<const journal::MemorySpool::Chunks> chunks_;
  std::size_t chunk_ = 0, given_ = 0;
};

Handle spooled(ValueMap attributes, std::string name, std::uint64_t size, const std::string& media_type) {
  attributes.insert_or_assign("name", Value(std::move(name)));
  attributes.insert_or_assign("size", Value(static_cast<std::int64_t>(size)));
  attributes.insert_or_assign("media_type", Value(media_type));
  return Handle{std::string(kSpool), std::move(attributes)};
}

class MemoryBody final : public connectors::BodyWriter {
 public:
  MemoryBody(journal::MemorySpool& spool, const JobId& job, std::string media_type)
      : writer_(spool, job), media_type_(std::move(media_type)) {}

  StepResult<void> write(std::span<const std::byte> bytes) override {
    return connectors::to_step(writer_.write(bytes));
  }
  StepResult<Handle> commit(ValueMap attributes) override {
    return spooled(std::move(attributes), writer_.commit(), writer_.size(), media_type_);
  }

 private:
  journal::MemorySpool::Writer writer_;
  std::string media_type_;
};

class SpoolBody final : public connectors::BodyWriter {
 public:
  SpoolBody(std::unique_ptr<journal::SpoolWriter> writer, std::string media_type)
      : writer_(std::move(writer)), media_type_(std::move(media_type)) {}

  StepResult<void> write(std::span<const std::byte> bytes) override {
    return connectors::to_step(writer_->write(bytes));
  }

  StepResult<Handle> commit(ValueMap attributes) override {
    SP_TRY(std::string name, connectors::to_step(writer_->commit()));
    return spooled(std::move(attributes), std::move(name), writer_->size(), media_type_);
  }

 private:
  std::unique_ptr<journal::SpoolWriter> writer_;
  std::string media_type_;
};

class NotedBody final : public connectors::BodyWriter {
 public:
  NotedBody(std::unique_ptr<connectors::BodyWriter> body, std::vector<std::string>& names)
      : body_(std::move(body)), names_(names) {}

  StepResult<void> write(std::span<const std::byte> bytes) override { return body_->write(bytes); }

  StepResult<Handle> commit(ValueMap attributes) override {
    SP_TRY(Handle handle, body_->commit(std::move(attributes)));
    names_.push_back(handle.attributes.at(Value("name")).as_string());
    return handle;
  }

 private:
  std::unique_ptr<connectors::BodyWriter> body_;
  std::vector<std::string>& names_;
};

}  // namespace

StepResult<connectors::HandleOpener*> JobBodies::opener_of(const Handle& handle) const {
  const auto it = std::ranges::find_if(openers_, [&](const auto* opener) { return opener->kind() == handle.kind; });
  if (it == openers_.end()) return step_fail("invalid", "a body of an unknown kind");
  return *it;
}

StepResult<std::unique_ptr<connectors::ByteReader>> JobBodies::open_bytes(const Handle& handle) {
  if (handle.kind != kSpool) {
    SP_TRY(auto* opener, opener_of(handle));
    return opener->open_bytes(handle, *this);
  }
  const auto name = handle.attributes.find(Value("name"));
  if (name == handle.attributes.end() || !name->second.is(Value::Kind::string))
    return step_fail("invalid", "a spooled body without a name");
  if (journal::MemorySpool::names(name->second.as_string())) {
    SP_TRY(auto chunks, connectors::to_step(spools_.memory.read(job_, name->second.as_string())));
    return std::make_unique<MemoryBytes>(std::move(chunks));
  }
  SP_TRY(auto reader, connectors::to_step(spools_.disk.read(job_, name->second.as_string())));
  return std::make_unique<SpoolBytes>(std::move(reader));
}

StepResult<std::unique_ptr<connectors::RowReader>> JobBodies::open_rows(const Handle& handle) {
  if (handle.kind == kSpool)
    return step_fail("invalid", "a spooled body has bytes, no rows: read it with csv.read or json.read");
  SP_TRY(auto* opener, opener_of(handle));
  return opener->open_rows(handle, *this);
}

StepResult<std::unique_ptr<connectors::BodyWriter>> JobBodies::new_spool(std::string media_type) {
  return new_body(std::move(media_type), Kept::on_disk);
}

StepResult<std::unique_ptr<connectors::BodyWriter>> JobBodies::new_body(std::string media_type, Kept kept) {
  if (kept == Kept::in_memory) return std::make_unique<MemoryBody>(spools_.memory, job_, std::move(media_type));
  SP_TRY(auto writer, connectors::to_step(spools_.disk.create(job_)));
  return std::make_unique<SpoolBody>(std::move(writer), std::move(media_type));
}

Result<void> JobBodies::remove(const std::string& name) {
  if (!journal::MemorySpool::names(name)) return spools_.disk.remove(job_, name);
  spools_.memory.remove(job_, name);
  return {};
}

StepResult<std::unique_ptr<connectors::ByteReader>> RunBodies::open_bytes(const Handle& handle) {
  return job_->open_bytes(handle);
}

StepResult<std::unique_ptr<connectors::RowReader>> RunBodies::open_rows(const Handle& handle) {
  return job_->open_rows(handle);
}

StepResult<std::unique_ptr<connectors::BodyWriter>> RunBodies::new_spool(std::string media_type) {
  SP_TRY(auto body, job_->new_body(std::move(media_type), kept_));
  return std::make_unique<NotedBody>(std::move(body), made_);
}

std::int64_t ItemReader::batch_size() const {
  const auto it = source_.attributes.find(Value("batch"));
  return it != source_.attributes.end() && it->second.is(Value::Kind::int64) ? it->second.as_int() : 0;
}

StepResult<void> Patience::check() const {
  if (stop.stop_requested()) return step_fail("cancelled", "stopped between two rows");
  if (clock.steady() >= deadline) return step_fail("timeout", "the job's time limit is over");
  return {};
}

StepResult<std::optional<Value>> ItemReader::next_item(const Patience& patience) {
  const auto size = std::max<std::int64_t>(batch_size(), 0);
  ValueList rows;
  for (std::size_t bytes = 0; std::cmp_less(rows.size(), std::max<std::int64_t>(size, 1));) {
    SP_CHECK(patience.check());
    SP_TRY(auto row, next_row());
    if (!row) break;
    bytes += row->bytes;
    if (!rows.empty() && bytes > kBatchBytes) {
      waiting_ = std::move(row);
      break;
    }
    rows.push_back(std::move(row->value));
  }
  if (rows.empty()) return std::optional<Value>();
  return std::optional<Value>(size == 0 ? std::move(rows.front()) : Value(std::move(rows)));
}

StepResult<std::optional<ItemReader::Row>> ItemReader::next_row() {
  if (waiting_) return std::exchange(waiting_, std::nullopt);
  SP_TRY(auto row, rows_->next());
  if (!row) return std::optional<Row>();
  ++rows_read_;
  const auto bytes = expr::measured(*row, kRowBytes);
  if (!bytes)
    return step_fail("too_large", fmt::format("row {} is larger than {} bytes, the limit for a row in `foreach`",
                                              rows_read_, kRowBytes));
  return std::optional(Row{*std::move(row), *bytes});
}

StepResult<void> ItemReader::open() {
  SP_TRY(rows_, bodies_->open_rows(source_));
  waiting_.reset();
  next_ = rows_read_ = 0;
  return {};
}

StepResult<std::optional<Value>> ItemReader::item(std::int64_t index, const Patience& patience) {
  if (!rows_ || index < next_) SP_CHECK(open());
  for (;;) {
    auto item = next_item(patience);
    if (!item) rows_.reset();  // rows of a batch may be lost
    if (!item) return item;
    const bool wanted = next_++ == index;
    if (wanted || !*item) return item;
  }
}

}  // namespace sallyport::runner
