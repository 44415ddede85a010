#pragma once

#include "agent/connectors/sql/call_thread.h"
#include "agent/connectors/sql/database.h"
#include "agent/connectors/sql/libodbc.h"
#include "agent/connectors/sql/odbc_values.h"

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sallyport::connectors::sql {

// What a session has in the driver. Owned by the session and by a call that is under way, and closed by the last.
struct OdbcHandles {
  OdbcHandles() = default;
  OdbcHandles(const OdbcHandles&) = delete;
  OdbcHandles& operator=(const OdbcHandles&) = delete;
  ~OdbcHandles();

  void drop_statement();
  void cancel();                    // from another thread
  std::string server_name() const;  // as the driver tells (SQL_DBMS_NAME)

  SQLHENV environment = SQL_NULL_HANDLE;
  SQLHDBC connection = SQL_NULL_HANDLE;
  bool is_connected = false;

  SQLHSTMT statement = SQL_NULL_HANDLE;  // the last one that was prepared:
  std::string text;
  std::vector<std::optional<OdbcType>> parameter_types;  // as far as the driver tells
  std::vector<OdbcColumn> columns;                       // of the result under way

 private:
  std::mutex freeing_;  // a statement that another thread cancels
};

// One session with a driver, whose calls run on a thread of their own. A call that is not back in time is cancelled
// (SQLCancel), and left behind if that does not help; the session is not used again after either.
class OdbcSession {
 public:
  explicit OdbcSession(LeftBehind left_behind)
      : handles_(std::make_shared<OdbcHandles>()), thread_(std::move(left_behind)) {}
  OdbcSession(const OdbcSession&) = delete;
  OdbcSession& operator=(const OdbcSession&) = delete;
  ~OdbcSession();

  template <class T>
  using Call = std::function<StepResult<T>(OdbcHandles&)>;
  // `call` owns all that it uses.
  template <class T>
  StepResult<T> run(const CallLimits& limits, Call<T> call) {
    if (broken_) return std::unexpected(lost(limits));
    if (is_over(limits)) return std::unexpected(interrupted(limits));
    auto result = std::make_shared<std::optional<StepResult<T>>>();
    if (!finish([handles = handles_, result, call = std::move(call)] { *result = call(*handles); }, limits))
      return std::unexpected(interrupted(limits));
    if (!**result && interrupted_) return std::unexpected(interrupted(limits));
    if (!**result && (*result)->error().classes.back() == "connection") broken_ = true;
    return std::move(**result);
  }
  bool is_alive() const { return !broken_; }
  StepError lost(const CallLimits& limits) const;  // why it is not alive

 private:
  bool finish(std::function<void()> call, const CallLimits& limits);
  static bool is_over(const CallLimits& limits);
  static StepError interrupted(const CallLimits& limits);

  std::shared_ptr<OdbcHandles> handles_;
  CallThread thread_;
  bool broken_ = false, interrupted_ = false;
};

}  // namespace sallyport::connectors::sql
