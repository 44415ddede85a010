#include "shared/link/message_bytes.h"

#include "proto/sallyport/v1/link.pb.h"
#include "shared/base/value.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <fstream>
#include <sstream>

using namespace sallyport;

namespace {

// Standard error of this process goes into a file while it lives.
class CapturedStderr {
 public:
  explicit CapturedStderr(std::filesystem::path file) : file_(std::move(file)), former_(::dup(STDERR_FILENO)) {
    const int fd = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    REQUIRE(fd >= 0);
    REQUIRE(::dup2(fd, STDERR_FILENO) == STDERR_FILENO);
    ::close(fd);
  }
  ~CapturedStderr() {
    ::dup2(former_, STDERR_FILENO);
    ::close(former_);
  }
  std::string text() const {
    std::ostringstream all;
    all << std::ifstream(file_).rdbuf();
    return all.str();
  }

 private:
  std::filesystem::path file_;
  int former_;
};

}  // namespace

TEST_CASE("bytes that are no message are told by the answer alone", "[link]") {
  const test::TempDir dir;
  v1::Hello hello;
  hello.set_hostname("host-1");
  const std::string good = hello.SerializeAsString();
  auto bad = good;
  bad[bad.find("host")] = '\xff';  // text that is not UTF-8

  v1::Hello read;
  const CapturedStderr captured(dir.path("stderr"));
  CHECK(link::parse(read, as_bytes(good)));
  CHECK(read.hostname() == "host-1");
  CHECK_FALSE(link::parse(read, as_bytes(bad)));
  for (std::size_t cut = 1; cut < good.size(); ++cut) CHECK_FALSE(link::parse(read, as_bytes(good).first(cut)));
  CHECK(captured.text().empty());
  REQUIRE(::write(STDERR_FILENO, "x", 1) == 1);
  CHECK(captured.text() == "x");
}
