#include "agent/connectors/mail/header.h"
#include "agent/connectors/mail/mail_actions.h"
#include "tests/contract/connectors/mail/post.h"
#include "tests/support/memory.h"
#include "tests/support/told_certificate.h"

#include <thread>

using namespace sallyport;
using namespace std::chrono_literals;
using test::args;
using test::Post;
using test::PostFiles;

namespace {

Value texts(std::initializer_list<const char*> list) { return Value(ValueList(list.begin(), list.end())); }

Value attachment(Handle body, const char* name) {
  return Value(ValueList{Value(args({{"body", Value(std::move(body))}, {"name", name}, {"type", "text/csv"}}))});
}

std::string ca(const std::string& file) { return "ca_file: \"" + file + "\""; }

}  // namespace

TEST_CASE("a mail arrives with all its parts", "[mail]") {
  Post post("none", "security: none");
  const auto sent = post.send(args({{"to", texts({"Ada Lovelace <ada@example.org>", "bob@example.org"})},
                                    {"cc", "Zoë <zoe@example.org>"},
                                    {"bcc", "unseen@example.org"},
                                    {"reply_to", "desk@elsewhere.org"},
                                    {"subject", "Größe: ✓"},
                                    {"text", "plain"},
                                    {"html", "<p>rich</p>"},
                                    {"attachments", attachment(post.agent->bodies.put("a,b\n1,2\n"), "März.csv")}}));
  REQUIRE(sent);
  CHECK(sent->find("recipients")->as_int() == 4);
  const auto mail = post.mail();
  for (const char* part :
       {"X-From: agent@example.org\r\n", "X-To: ada@example.org,bob@example.org,zoe@example.org,unseen@example.org\r\n",
        "From: The Agent <agent@example.org>\r\n", "To: Ada Lovelace <ada@example.org>,\r\n bob@example.org\r\n",
        "Cc: =?UTF-8?B?Wm/Dqw==?= <zoe@example.org>\r\n", "Reply-To: desk@elsewhere.org\r\n",
        "Subject: =?UTF-8?B?R3LDtsOfZTog4pyT?=\r\n", "filename*=UTF-8''M%C3%A4rz.csv\r\n",
        "Content-Type: text/csv\r\n"})
    CHECK(mail.contains(part));
  for (const char* body : {"plain", "<p>rich</p>", "a,b\n1,2\n"}) CHECK(mail.contains(base64(as_bytes(body)) + "\r\n"));
  CHECK(mail.contains("Message-ID: <" + sent->find("message_id")->as_string() + ">\r\n"));
  CHECK_FALSE(mail.substr(mail.find("\r\nFrom: ")).contains("unseen@"));
  CHECK(post.send({})->find("message_id")->as_string() == sent->find("message_id")->as_string());
  post.agent->idempotency_key = "another";
  CHECK(post.send({})->find("message_id")->as_string() != sent->find("message_id")->as_string());
}

TEST_CASE("no value begins another header or another address", "[mail]") {
  Post post("none", "security: none");
  const char* evil = "x\r\nBcc: eve@evil.test";
  CHECK(post.classes(args({{"subject", evil}})) == "invalid");
  CHECK(post.classes(args({{"to", "ada@example.org\r\nRCPT TO:<eve@evil.test>"}})) == "invalid");
  CHECK(post.classes(args({{"to", "ada@example.org,eve@evil.test"}})) == "invalid");
  CHECK(post.classes(args({{"to", "x\r\ny <ada@example.org>"}})) == "invalid");
  CHECK(post.classes(args({{"to", "eve@evil.test <ada@example.org>"}})) == "none");  // shown as a name, encoded
  CHECK_FALSE(post.mail().contains("eve@evil.test"));
  for (const char* name : {evil, "../../etc/passwd", "a\\b", ""})
    CHECK(post.classes(args({{"attachments", attachment(post.agent->bodies.put("x"), name)}})) == "invalid");
  CHECK(post.classes(args({{"text", ".\r\nQUIT\r\n.\r\n"}})) == "none");
  CHECK(post.count() == 2);
}

TEST_CASE("the policy names the recipients, the connection the senders", "[mail][policy]") {
  Post post("none", "security: none");
  for (const char* to : {"eve@evil.test", "ada@example.org.evil.test", "ada@EVIL.test"})
    CHECK(post.classes(args({{"to", to}})) == "policy");
  CHECK(post.classes(args({{"cc", "eve@evil.test"}})) == "policy");
  CHECK(post.classes(args({{"bcc", "eve@evil.test"}})) == "policy");
  CHECK(post.classes(args({{"from", "boss@example.org"}})) == "policy");
  CHECK(post.classes(args({{"from", "Somebody <agent@example.org>"}, {"to", "ADA@Example.org"}})) == "none");
  CHECK(post.count() == 1);
}

TEST_CASE("mail goes over TLS, with a certificate that is good for the host, and a login", "[mail][tls]") {
  const auto& files = PostFiles::get();
  const auto login = ", user: agent, password_file: \"" + files.password + "\"";
  const auto wrong = ", user: agent, password_file: \"" + files.wrong_password + "\"";
  for (const std::string way : {"starttls", "tls"}) {
    INFO(way);
    const auto classes = [&](const std::string& more) {
      Post post(way + " agent p0st-s3cret", "security: " + way + ", " + more);
      auto given = post.classes({});
      CHECK_FALSE(post.agent->logged().contains("s3cret"));
      CHECK(post.count() == (given == "none" ? 1 : 0));
      return given;
    };
    CHECK(classes(ca(files.ca) + login) == "none");
    CHECK(classes(ca(files.other_ca) + login) == "connection");
    CHECK(classes("host: localhost, " + ca(files.ca) + login) == "connection");
    CHECK(classes(ca(files.ca) + wrong) == "smtp:535,permission");
  }
  Post clear("none", "security: starttls, " + ca(files.ca));
  CHECK(clear.classes({}) == "connection");  // no TLS there: nothing is sent in the clear
}

TEST_CASE("what the server refuses keeps its code; all recipients or none", "[mail][errors]") {
  Post post("none", "security: none");
  CHECK(post.classes(args({{"to", texts({"ada@example.org", "nobody@example.org"})}})) == "smtp:550,constraint");
  CHECK(post.count() == 0);
  CHECK_FALSE(post.send(args({{"to", "nobody@example.org"}})).error().message.contains("c4n4ry"));
  CHECK(post.classes(args({{"to", "later@example.org"}})) == "smtp:451,connection");
  CHECK(post.classes(args({{"subject", "refuse this"}})) == "smtp:554,constraint");
  Post small("none", "security: none, max_size: 4096");
  CHECK(small.classes(args({{"attachments", attachment(small.agent->bodies.put(std::string(9999, 'x')), "a")}})) ==
        "too_large");
  CHECK(small.count() == 0);
}

TEST_CASE("a server that stops in the middle: nothing was sent, or nobody knows", "[mail][doubt]") {
  const auto large = [](Post& post) {
    return args({{"attachments", attachment(post.agent->bodies.put(std::string(4 << 20, 'x')), "a")}});
  };
  Post gone("broken gone", "security: none");
  CHECK(gone.classes(large(gone)) == "connection");
  Post silent("broken silent", "security: none");
  silent.agent->patience = 300ms;
  CHECK(silent.classes({}) == "timeout");
  Post mute("broken mute", "security: none");
  mute.agent->patience = 1s;
  CHECK(mute.classes({}) == "in_doubt");
  Post stopped("broken silent", "security: none");
  std::jthread stopper([&] {
    std::this_thread::sleep_for(100ms);
    stopped.agent->stop.request_stop();
  });
  CHECK(stopped.classes({}) == "cancelled");
}

TEST_CASE("a mail that is given up in the middle is never taken for a whole one", "[mail][doubt]") {
  const bool by_stop = GENERATE(true, false);
  Post post("broken slow", "security: none");
  const auto body = post.agent->bodies.put(std::string(16 << 20, 'x'));
  std::jthread stopper;
  if (by_stop) {
    stopper = std::jthread([&] {
      std::this_thread::sleep_for(300ms);
      post.agent->stop.request_stop();
    });
  } else {
    post.agent->patience = 300ms;
  }
  CHECK(post.classes(args({{"attachments", attachment(body, "a")}})) == (by_stop ? "cancelled" : "timeout"));
  CHECK(post.ending() == "cut");
}

TEST_CASE("a connection for mail is tested step by step", "[mail][findings]") {
  const auto& files = PostFiles::get();
  const auto found = [&](const std::string& server, const std::string& settings) {
    Post post(server, settings);
    const auto site = post.agent->site();
    std::string text;
    const auto findings =
        connectors::mail::make_smtp_test(site)->run(site.connections.at("post"), post.agent->deadline());
    if (settings.contains("ca_file")) test::check_told(findings, files.certificate);
    for (const auto& finding : findings) {
      text += (text.empty() ? "" : " ") + finding.check + ":" + std::string(to_string(finding.verdict));
      CHECK_FALSE(finding.text.contains("s3cret"));
    }
    CHECK(post.count() == 0);
    return text;
  };
  const auto login = ", user: agent, password_file: \"" + files.password + "\"";
  const auto wrong = ", user: agent, password_file: \"" + files.wrong_password + "\"";
  const std::string server = "starttls agent p0st-s3cret";
  CHECK(found(server, ca(files.ca) + login) == "dns:good tcp:good tls:good login:good");
  CHECK(found(server, ca(files.other_ca) + login) == "dns:good tcp:good tls:bad");
  CHECK(found(server, ca(files.ca) + wrong) == "dns:good tcp:good tls:good login:bad");
  CHECK(found("tls agent p0st-s3cret", "security: tls, " + ca(files.other_ca) + login) == "dns:good tcp:good tls:bad");
  CHECK(found("none", "security: none") == "dns:good tcp:good login:good");
}

TEST_CASE("a large attachment takes no memory", "[mail][memory]") {
  Post post("none", "security: none, max_size: 200MiB");
  REQUIRE(post.classes({}) == "none");  // the library is loaded
  const auto body = post.agent->bodies.put(std::string(12u << 20, 'x'));
  const test::PeakMemory peak;
  CHECK(post.classes(args({{"attachments", attachment(body, "large.bin")}})) == "none");
  CHECK(peak.grown() < (6u << 20));
  CHECK(post.mail(2).size() > (16u << 20));
}

TEST_CASE("headers are ASCII and short", "[mail][header]") {
  using namespace connectors::mail;
  CHECK(*header_text("Plain subject 1") == "Plain subject 1");
  std::string umlauts;
  for (int i = 0; i < 60; ++i) umlauts += "ü";
  const auto words = *header_text(umlauts);
  CHECK(words.starts_with("=?UTF-8?B?"));
  for (std::size_t at = 0, end = 0; end != std::string::npos; at = end + 2) {
    end = words.find("\r\n", at);
    CHECK(words.substr(at, end - at).size() <= 77);
  }
  for (const char* wrong : {"a\nb", "a\rb", "a\x01", "\xff"}) CHECK_FALSE(header_text(wrong));
  for (const char* wrong : {"", "a", "@b", "a@", "a@b@c", "a b@c", "<a@b", "a@b>", "\"a b\"@c", "a@[1.2.3.4]", "a@-b"})
    CHECK_FALSE(parse_mailbox(wrong));
  CHECK(parse_mailbox(" \"Ada, L.\" <ada@b> ")->name == "Ada, L.");
  CHECK(header_mailboxes({{"Ada, L.", "ada@b"}}) == "=?UTF-8?B?QWRhLCBMLg==?= <ada@b>");
  CHECK(header_date(from_unix_ms(1'795'365'600'000)) == "Sun, 22 Nov 2026 16:40:00 +0000");
  CHECK_FALSE(header_media_type("text"));
  CHECK_FALSE(header_media_type("multipart/mixed"));
  CHECK_FALSE(header_media_type("text/plain; x=y"));
}
