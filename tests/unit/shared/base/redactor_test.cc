#include "shared/base/redactor.h"

#include "shared/base/text.h"
#include "tests/support/canary.h"

#include <catch2/catch.hpp>

#include <malloc.h>
#include <sanitizer/allocator_interface.h>

#include <chrono>

using namespace sallyport;

namespace {

Secret secret_of(std::string text) { return Secret::take(text); }

std::string seen(const Redactor& redactor, std::string_view text) {
  return redactor.redact(text).value_or(std::string(text));
}

Redactor& knowing(Redactor& redactor, const std::string& text, const std::string& owner = "job_1") {
  REQUIRE(redactor.add(owner, secret_of(text)));
  return redactor;
}

struct Lines final : LogSink {
  void write(std::string_view line) override { text.append(line).append("\n"); }
  std::string text;
};

std::size_t allocated() {
#if defined(__has_feature) && __has_feature(address_sanitizer)
  return __sanitizer_get_current_allocated_bytes();
#else
  return ::mallinfo2().uordblks;
#endif
}

constexpr const char* kOdd = "s3cr3t+/\"&=ü€😀";

}  // namespace

TEST_CASE("a secret is hidden in every form", "[redactor]") {
  Redactor redactor;
  knowing(redactor, kOdd);
  for (const auto* form :
       {kOdd, R"(s3cr3t+/\"&=ü€😀)", R"(s3cr3t+/\"&=\u00fc\u20ac\ud83d\ude00)",
        "s3cr3t%2B%2F%22%26%3D%C3%BC%E2%82%AC%F0%9F%98%80", "s3cr3t%2b%2f%22%26%3d%c3%bc%e2%82%ac%f0%9f%98%80",
        "7333637233742b2f22263dc3bce282acf09f9880", "7333637233742B2F22263DC3BCE282ACF09F9880"}) {
    INFO(form);
    CHECK(seen(redactor, form) == "***");
    CHECK(seen(redactor, "before " + std::string(form) + " after") == "before *** after");
  }
  for (const auto& [name, form] : test::Canary(kOdd).forms()) {
    INFO(name);
    CHECK(seen(redactor, "<" + form + ">") == "<***>");
  }
}

TEST_CASE("a secret is hidden in the base64 of a longer text, at every offset", "[redactor]") {
  Redactor redactor;
  knowing(redactor, kOdd);
  for (std::size_t before = 0; before < 9; ++before) {
    INFO(before);
    const auto longer = std::string(before, 'x') + kOdd + "yyy";
    CHECK(test::Canary(kOdd).forms_in(base64(as_bytes(longer))).empty() == false);  // the search would find it
    CHECK(test::Canary(kOdd).forms_in(seen(redactor, base64(as_bytes(longer)))).empty());
    CHECK(test::Canary(kOdd).forms_in(seen(redactor, base64url(as_bytes(longer)))).empty());
  }
}

TEST_CASE("what is no secret passes, and nobody copies it", "[redactor]") {
  Redactor redactor;
  CHECK_FALSE(redactor.redact("anything"));
  knowing(redactor, "s3cr3t");
  for (const auto* text : {"", "s3c", "s3cr3", "S3CR3T", "3cr3t and s3cr", "czNj"}) {
    INFO(text);
    CHECK_FALSE(redactor.redact(text));
  }
}

TEST_CASE("matches at borders, side by side and over each other", "[redactor]") {
  Redactor redactor;
  knowing(knowing(redactor, "abcdef"), "defghi", "job_2");
  CHECK(seen(redactor, "abcdef") == "***");
  CHECK(seen(redactor, "xabcdef") == "x***");
  CHECK(seen(redactor, "abcdefx") == "***x");
  CHECK(seen(redactor, "abcdefabcdef") == "******");
  CHECK(seen(redactor, "abcdefghi") == "***");
  CHECK(seen(redactor, "-abcdefghi-defghi-") == "-***-***-");
  knowing(redactor, "abcdefghi-long");
  CHECK(seen(redactor, "abcdefghi-long") == "***");
  CHECK(seen(redactor, "abcdefghi-lon") == "***-lon");
  knowing(redactor, "aaaa");
  CHECK(seen(redactor, "baaaaaaab") == "b***b");
}

TEST_CASE("a secret is found wherever a text is cut before it", "[redactor]") {
  Redactor redactor;
  knowing(redactor, "s3cr3t-of-a-job");
  for (std::size_t before = 0; before < 70; ++before) {
    const std::string pad(before, 's');
    CHECK(seen(redactor, pad + "s3cr3t-of-a-job") == pad + "***");
    CHECK(seen(redactor, "s3cr3t-of-a-job" + pad) == "***" + pad);
  }
}

TEST_CASE("three bytes are no secret that can be searched for", "[redactor]") {
  Redactor redactor;
  knowing(redactor, "abc");
  CHECK_FALSE(redactor.redact("abc YWJj 616263"));
  knowing(redactor, "abcd");
  CHECK(seen(redactor, "abcd YWJjZA 61626364") == "*** ***A ***");  // the last character has only a bit of it
}

TEST_CASE("a secret is forgotten when the last job that used it has ended", "[redactor]") {
  Redactor redactor;
  knowing(knowing(redactor, "s3cr3t"), "s3cr3t", "job_2");
  knowing(redactor, "s3cr3t");  // the same job again
  redactor.forget("job_3");
  redactor.forget("job_1");
  CHECK(seen(redactor, "s3cr3t") == "***");
  redactor.forget("job_2");
  CHECK_FALSE(redactor.redact("s3cr3t"));
}

TEST_CASE("more secrets than it searches for are refused, not ignored", "[redactor]") {
  Redactor redactor;
  REQUIRE(redactor.add("job_1", secret_of(std::string(Redactor::kMostBytes, 'x'))));
  const auto refused = redactor.add("job_2", secret_of("another"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::exhausted);
  CHECK(refused.error().message.find("another") == std::string::npos);
  redactor.forget("job_1");
  CHECK(redactor.add("job_2", secret_of("another")));
}

TEST_CASE("what is refused leaves nothing behind, whoever asks", "[redactor]") {
  Redactor redactor;
  REQUIRE(redactor.add("job_1", secret_of(std::string(Redactor::kMostBytes, 'x'))));
  const auto before = allocated();
  for (int i = 0; i < 1'000; ++i)
    REQUIRE_FALSE(redactor.add(std::string(4'096, 'o') + std::to_string(i), secret_of("another")));
  CHECK(allocated() < before + (1u << 20));
}

TEST_CASE("a log that writes through it has no secrets in its lines", "[redactor]") {
  Redactor redactor;
  knowing(redactor, kOdd);
  Lines lines;
  RedactingSink sink(lines, redactor);
  const SystemClock clock;
  const Log log(sink, clock);
  log.info("thing.happened", {{"why", kOdd}, {"reason", "nobody"}});
  CHECK(lines.text.find("s3cr3t") == std::string::npos);
  CHECK(lines.text.find(R"("why":"***")") != std::string::npos);
  CHECK(lines.text.find(R"("reason":"nobody")") != std::string::npos);
}

// Its figure stands in docs/operations/privacy.md; run it in the release preset.
TEST_CASE("what looking for 64 secrets in a megabyte costs", "[.][redactor][bench]") {
  Redactor redactor;
  for (int i = 0; i < 64; ++i) knowing(redactor, "secret-number-" + std::to_string(1'000 * i + 7));
  std::string text;
  while (text.size() < 1u << 20) text += R"({"at":"2026-01-31T09:30:00Z","event":"step.finished","why":"no secret"})";
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) CHECK_FALSE(redactor.redact(text));
  const auto took = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - began).count();
  WARN(took / 20.0 / static_cast<double>(text.size()) << " ns a byte");
}
