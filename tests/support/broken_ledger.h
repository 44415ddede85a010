#pragma once

#include "relay/store/sqlite/database.h"

#include <stdexcept>

namespace sallyport::test {

// As long as it lives, no row can be added to any audit ledger of this database.
class BrokenLedger {
 public:
  explicit BrokenLedger(const std::filesystem::path& file) : database_(open(file)) {
    run("create trigger planted before insert on audit_rows begin select raise(abort, 'planted'); end");
  }
  ~BrokenLedger() { (void)database_.script("drop trigger planted"); }
  BrokenLedger(const BrokenLedger&) = delete;
  BrokenLedger& operator=(const BrokenLedger&) = delete;

 private:
  static store::sqlite::Database open(const std::filesystem::path& file) {
    auto opened = store::sqlite::Database::open(file, store::sqlite::Access::read_write);
    if (!opened) throw std::runtime_error(opened.error().message);
    return *std::move(opened);
  }
  void run(const std::string& sql) {
    if (auto done = database_.script(sql); !done) throw std::runtime_error(done.error().message);
  }

  store::sqlite::Database database_;
};

}  // namespace sallyport::test
