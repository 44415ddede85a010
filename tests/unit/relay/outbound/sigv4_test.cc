#include "relay/outbound/sigv4.h"
#include "shared/base/text.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::outbound;

namespace {

// Requests and what they must come to: "aws-sig-v4-test-suite", published by AWS with its General Reference (Signature
// Version 4 test suite); service "service", region us-east-1, at 2015-08-30T12:36:00Z. Left out: what asks for relative
// paths and headers over several lines, which no request of ours has.
struct Vector {
  const char* name;
  const char* method;
  const char* path;
  SignedRequest::Fields query;
  SignedRequest::Fields headers;  // beside host and x-amz-date
  const char* body;
  const char* canonical_hash;  // of the canonical request: the last line of the string to sign
  const char* signature;
};

const std::string kDate = "20150830T123600Z";
const SigningScope kScope{"us-east-1", "service"};
const std::string kLetters = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const std::string kToken =
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthA"
    "x7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY"
    "9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

const std::vector<Vector> kVectors = {
    {"get-vanilla",
     "GET",
     "/",
     {},
     {},
     "",
     "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-header-key-duplicate",
     "GET",
     "/",
     {},
     {{"My-Header1", "value2"}, {"My-Header1", "value2"}, {"My-Header1", "value1"}},
     "",
     "dc7f04a3abfde8d472b0ab1a418b741b7c67174dad1551b4117b15527fbe966c",
     "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
    {"get-header-value-order",
     "GET",
     "/",
     {},
     {{"My-Header1", "value4"}, {"My-Header1", "value1"}, {"My-Header1", "value3"}, {"My-Header1", "value2"}},
     "",
     "31ce73cd3f3d9f66977ad3dd957dc47af14df92fcd8509f59b349e9137c58b86",
     "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
    {"get-header-value-trim",
     "GET",
     "/",
     {},
     {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}},
     "",
     "a726db9b0df21c14f559d0a978e563112acb1b9e05476f0a6a1c7d68f28605c7",
     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
    {"get-unreserved",
     "GET",
     "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
     {},
     {},
     "",
     "6a968768eefaa713e2a6b16b589a8ea192661f098f37349f4e2c0082757446f9",
     "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
    {"get-utf8",
     "GET",
     "/\xe1\x88\xb4",
     {},
     {},
     "",
     "2a0a97d02205e45ce2e994789806b19270cfbbb0921b278ccf58f5249ac42102",
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {"get-space",
     "GET",
     "/example space/",
     {},
     {},
     "",
     "63ee75631ed7234ae61b5f736dfc7754cdccfedbff4b5128a915706ee9390d86",
     "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
    {"get-vanilla-empty-query-key",
     "GET",
     "/",
     {{"Param1", "value1"}},
     {},
     "",
     "1e24db194ed7d0eec2de28d7369675a243488e08526e8c1c73571282f7c517ab",
     "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
    {"get-vanilla-query-order-key",
     "GET",
     "/",
     {{"Param1", "value2"}, {"Param1", "Value1"}},
     {},
     "",
     "704b4cef673542d84cdff252633f065e8daeba5f168b77116f8b1bcaf3d38f89",
     "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1"},
    {"get-vanilla-query-order-key-case",
     "GET",
     "/",
     {{"Param2", "value2"}, {"Param1", "value1"}},
     {},
     "",
     "816cd5b414d056048ba4f7c5386d6e0533120fb1fcfa93762cf0fc39e2cf19e0",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {"get-vanilla-query-order-value",
     "GET",
     "/",
     {{"Param1", "value2"}, {"Param1", "value1"}},
     {},
     "",
     "c968629d70850097a2d8781c9bf7edcb988b04cac14cca9be4acc3595f884606",
     "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"},
    {"get-vanilla-query-unreserved",
     "GET",
     "/",
     {{kLetters, kLetters}},
     {},
     "",
     "c30d4703d9f799439be92736156d47ccfb2d879ddf56f5befa6d1d6aab979177",
     "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
    {"get-vanilla-utf8-query",
     "GET",
     "/",
     {{"\xe1\x88\xb4", "bar"}},
     {},
     "",
     "eb30c5bed55734080471a834cc727ae56beb50e5f39d1bff6d0d38cb192a7073",
     "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
    {"post-vanilla",
     "POST",
     "/",
     {},
     {},
     "",
     "553f88c9e4d10fc9e109e2aeb65f030801b70c2f6468faca261d401ae622fc87",
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {"post-vanilla-query",
     "POST",
     "/",
     {{"Param1", "value1"}},
     {},
     "",
     "9d659678c1756bb3113e2ce898845a0a79dbbc57b740555917687f1b3340fbbd",
     "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
    {"post-header-key-sort",
     "POST",
     "/",
     {},
     {{"My-Header1", "value1"}},
     "",
     "9368318c2967cf6de74404b30c65a91e8f6253e0a8659d6d5319f1a812f87d65",
     "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
    {"post-header-value-case",
     "POST",
     "/",
     {},
     {{"My-Header1", "VALUE1"}},
     "",
     "d51ced243e649e3de6ef63afbbdcbca03131a21a7103a1583706a64618606a93",
     "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
    {"post-x-www-form-urlencoded",
     "POST",
     "/",
     {},
     {{"Content-Type", "application/x-www-form-urlencoded"}},
     "Param1=value1",
     "42a5e5bb34198acb3e84da4f085bb7927f2bc277ca766e6d19c73c2154021281",
     "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
    {"post-x-www-form-urlencoded-parameters",
     "POST",
     "/",
     {},
     {{"Content-Type", "application/x-www-form-urlencoded; charset=utf8"}},
     "Param1=value1",
     "2e1cf7ed91881a30569e46552437e4156c823447bf1781b921b5d486c568dd1c",
     "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe"},
    {"post-sts-header-before",
     "POST",
     "/",
     {},
     {{"X-Amz-Security-Token", kToken}},
     "",
     "c237e1b440d4c63c32ca95b5b99481081cb7b13c7e40434868e71567c1a882f6",
     "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
};

SignedRequest request_of(const Vector& vector) {
  SignedRequest request{
      .method = vector.method, .path = vector.path, .query = vector.query, .headers = {}, .body = vector.body};
  request.headers = {{"X-Amz-Date", kDate}, {"Host", "example.amazonaws.com"}};
  request.headers.insert(request.headers.end(), vector.headers.begin(), vector.headers.end());
  return request;
}

AwsCredentials example(std::string secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY") {
  return {.access_key_id = "AKIDEXAMPLE", .secret_access_key = Secret::take(secret), .session_token = {}};
}

}  // namespace

TEST_CASE("signatures are those that AWS publishes", "[outbound][sigv4]") {
  for (const Vector& vector : kVectors) {
    INFO(vector.name);
    const auto request = request_of(vector);
    const auto to_sign = string_to_sign(canonical_request(request).reveal(), kDate, kScope);
    CHECK(to_sign.starts_with("AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/service/aws4_request\n"));
    CHECK(to_sign.ends_with(vector.canonical_hash));
    const auto header = authorization(request, kDate, kScope, example());
    CHECK(header.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, Sig"));
    CHECK(header.ends_with(std::string(", Signature=") + vector.signature));
  }
}

TEST_CASE("a canonical request has its lines in the published order", "[outbound][sigv4]") {
  const SignedRequest request{.method = "POST",
                              .path = "/",
                              .query = {},
                              .headers = {{"X-Amz-Date", kDate}, {"Host", "example.amazonaws.com"}},
                              .body = ""};
  CHECK(canonical_request(request).reveal() ==
        "POST\n/\n\nhost:example.amazonaws.com\nx-amz-date:20150830T123600Z\n\nhost;x-amz-date\n"
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(authorization(request, kDate, kScope, example()) ==
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, "
        "Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
}

TEST_CASE("whatever is signed changes the signature", "[outbound][sigv4]") {
  const Vector& base = kVectors.front();
  const auto signed_with = [](const SignedRequest& request, const std::string& date, const SigningScope& scope,
                              const AwsCredentials& credentials) {
    const auto header = authorization(request, date, scope, credentials);
    return header.substr(header.rfind('=') + 1);
  };
  const auto request = request_of(base);
  REQUIRE(signed_with(request, kDate, kScope, example()) == base.signature);
  CHECK(signed_with(request, kDate, kScope, example("another")) != base.signature);
  CHECK(signed_with(request, "20150830T123601Z", kScope, example()) != base.signature);
  CHECK(signed_with(request, kDate, {"us-east-2", "service"}, example()) != base.signature);
  CHECK(signed_with(request, kDate, {"us-east-1", "kms"}, example()) != base.signature);
  auto changed = request;
  changed.body = "x";
  CHECK(signed_with(changed, kDate, kScope, example()) != base.signature);
  changed = request;
  changed.headers.emplace_back("x-amz-target", "TrentService.Decrypt");
  CHECK(signed_with(changed, kDate, kScope, example()) != base.signature);
}

TEST_CASE("times are written as x-amz-date wants them", "[outbound][sigv4]") {
  CHECK(amz_date(from_unix_ms(1'440'938'160'000)) == kDate);
  CHECK(amz_date(from_unix_ms(1'925'089'445'999)) == "20310102T030405Z");
}
