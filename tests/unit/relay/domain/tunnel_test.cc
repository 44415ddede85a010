#include "relay/domain/tunnel.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::domain;

namespace {

struct Spelling {
  const char* written;
  const char* canonical;
};

// Not an address in any notation.
const char* const kNonsense[] = {"",
                                 " ",
                                 "1",
                                 "1.2.3",
                                 "1.2.3.4.5",
                                 "1.2.3.",
                                 ".1.2.3",
                                 "1..2.3",
                                 "1.2.3.4.",
                                 "256.1.1.1",
                                 "1.2.3.999",
                                 "1.2.3.1000",
                                 "010.0.0.1",
                                 "00.0.0.0",
                                 "0x7f.0.0.1",
                                 "1.2.3.-4",
                                 "1.2.3.+4",
                                 " 1.2.3.4",
                                 "1.2.3.4 ",
                                 "1.2.3.4\n",
                                 "127.1",
                                 "localhost",
                                 ":",
                                 ":::",
                                 "::1::",
                                 "1::2::3",
                                 "1:2:3:4:5:6:7",
                                 "1:2:3:4:5:6:7:8:9",
                                 "1:2:3:4:5:6:7::8",
                                 "::1:2:3:4:5:6:7:8",
                                 "1:2:3:4:5:6:7:",
                                 ":1:2:3:4:5:6:7",
                                 "12345::",
                                 "00000::",
                                 "g::",
                                 "-1::",
                                 "1:2:3:4:5:6:7:1.2.3.4",
                                 "1.2.3.4::",
                                 "::1.2.3.4:5",
                                 "::1.2.3",
                                 "::ffff:1.2.3.256",
                                 "fe80::1%eth0",
                                 "[::1]",
                                 "::1 ",
                                 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};

}  // namespace

TEST_CASE("an address has one spelling", "[domain][tunnel]") {
  for (const Spelling& row : {
           Spelling{"127.0.0.1", "127.0.0.1"},
           {"0.0.0.0", "0.0.0.0"},
           {"255.255.255.255", "255.255.255.255"},
           {"::", "::"},
           {"0:0:0:0:0:0:0:0", "::"},
           {"0000:0000::0000", "::"},
           {"::1", "::1"},
           {"0:0::0:1", "::1"},
           {"1::", "1::"},
           {"2001:DB8::A", "2001:db8::a"},
           {"2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1"},  // the first of two equal runs
           {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},                           // the longest
           {"1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"},                            // one group alone is not shortened
           {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
           {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
           {"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
           {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
           {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
           {"::1.2.3.4", "::102:304"},  // not mapped, though it looks alike
           {"::ffff:1.2.3.4", "1.2.3.4"},
           {"::FFFF:0102:0304", "1.2.3.4"},
           {"0:0:0:0:0:ffff:127.0.0.1", "127.0.0.1"},
           {"::fffe:1.2.3.4", "::fffe:102:304"},
           {"1::ffff:1.2.3.4", "1::ffff:102:304"},
       }) {
    INFO(row.written);
    const auto address = canonical_address(row.written);
    REQUIRE(address);
    CHECK(*address == row.canonical);
    CHECK(canonical_address(*address) == address);
  }
}

TEST_CASE("what is no address is refused, and is in no network", "[domain][tunnel]") {
  for (const char* text : kNonsense) {
    INFO("\"" << text << "\"");
    const auto address = canonical_address(text);
    REQUIRE_FALSE(address);
    CHECK(address.error().code == Errc::invalid);
    CHECK_FALSE(canonical_network(text));
    CHECK_FALSE(canonical_network(std::string(text) + "/8"));
    CHECK_FALSE(is_in_networks(text, {"0.0.0.0/0", "::/0"}));
    CHECK_FALSE(is_in_networks("127.0.0.1", {text}));
  }
  CHECK_FALSE(canonical_address(std::string_view("127.0.0.1\0", 10)));
  CHECK_FALSE(canonical_address("127.0.0.1/32"));
  CHECK_FALSE(is_in_networks("127.0.0.1/32", {"127.0.0.0/8"}));
}

TEST_CASE("a network has one spelling, with its prefix", "[domain][tunnel]") {
  for (const Spelling& row : {
           Spelling{"10.0.0.0/8", "10.0.0.0/8"},
           {"127.0.0.1", "127.0.0.1/32"},
           {"127.0.0.1/32", "127.0.0.1/32"},
           {"0.0.0.0/0", "0.0.0.0/0"},
           {"128.0.0.0/1", "128.0.0.0/1"},
           {"192.168.1.254/31", "192.168.1.254/31"},
           {"172.16.0.0/12", "172.16.0.0/12"},
           {"::/0", "::/0"},
           {"::1", "::1/128"},
           {"2001:DB8:0::/32", "2001:db8::/32"},
           {"fc00::/7", "fc00::/7"},
           {"2001:db8::8000:0:0:0/65", "2001:db8:0:0:8000::/65"},
           {"::ffff:10.0.0.0/104", "10.0.0.0/8"},  // mapped: the IPv4 network
           {"::ffff:0:0/96", "0.0.0.0/0"},
           {"::ffff:1.2.3.4", "1.2.3.4/32"},
       }) {
    INFO(row.written);
    const auto network = canonical_network(row.written);
    REQUIRE(network);
    CHECK(*network == row.canonical);
    CHECK(canonical_network(*network) == network);
  }
}

TEST_CASE("what is no network is refused", "[domain][tunnel]") {
  for (const char* text : {"10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/00", "10.0.0.0/-1", "10.0.0.0/+8",
                           "10.0.0.0/8 ", "10.0.0.0/ 8", "10.0.0.0/8/8", "10.0.0.0/0x8", "10.0.0.0/255.0.0.0", "/8",
                           "::/129", "::/0000", "::/4294967296", "::/18446744073709551617", "10/8", "10.0.0.0/a"}) {
    INFO(text);
    const auto network = canonical_network(text);
    REQUIRE_FALSE(network);
    CHECK(network.error().code == Errc::invalid);
    CHECK(network.error().message.find("10.0.0.0/8") != std::string::npos);  // an example
  }
}

TEST_CASE("bits behind the prefix are refused, with what was meant", "[domain][tunnel]") {
  for (const Spelling& row : {
           Spelling{"10.0.0.1/8", "10.0.0.0/8"},
           {"127.0.0.1/0", "0.0.0.0/0"},
           {"192.168.1.255/31", "192.168.1.254/31"},
           {"172.31.0.0/12", "172.16.0.0/12"},
           {"2001:db8::1/127", "2001:db8::/127"},
           {"fd00::/7", "fc00::/7"},
           {"::ffff:10.0.0.1/104", "10.0.0.0/8"},
           {"::ffff:0:0/95", "::fffe:0:0/95"},  // wider than what is mapped
       }) {
    INFO(row.written);
    const auto network = canonical_network(row.written);
    REQUIRE_FALSE(network);
    CHECK(network.error().code == Errc::invalid);
    CHECK(network.error().message.find("behind the prefix") != std::string::npos);
    CHECK(network.error().message.ends_with(row.canonical));
    CHECK_FALSE(is_in_networks("10.0.0.1", {row.written}));
  }
}

TEST_CASE("which addresses a network holds", "[domain][tunnel]") {
  struct Row {
    const char* address;
    const char* network;
    bool inside;
  };
  for (const Row& row : {
           Row{"10.255.255.255", "10.0.0.0/8", true},
           {"11.0.0.0", "10.0.0.0/8", false},
           {"9.255.255.255", "10.0.0.0/8", false},
           {"172.15.255.255", "172.16.0.0/12", false},
           {"172.16.0.0", "172.16.0.0/12", true},
           {"172.31.255.255", "172.16.0.0/12", true},
           {"172.32.0.0", "172.16.0.0/12", false},
           {"192.168.1.254", "192.168.1.254/31", true},
           {"192.168.1.255", "192.168.1.254/31", true},
           {"192.168.1.253", "192.168.1.254/31", false},
           {"127.0.0.1", "127.0.0.1", true},
           {"127.0.0.2", "127.0.0.1/32", false},
           {"8.8.8.8", "0.0.0.0/0", true},
           {"8.8.8.8", "::/0", false},  // families do not mix
           {"::1", "0.0.0.0/0", false},
           {"::ffff:8.8.8.8", "::/0", false},
           {"::ffff:10.1.2.3", "10.0.0.0/8", true},
           {"10.1.2.3", "::ffff:10.0.0.0/104", true},
           {"::10.1.2.3", "10.0.0.0/8", false},
           {"fdff::1", "fc00::/7", true},
           {"fe00::", "fc00::/7", false},
           {"2001:db8::ffff", "2001:db8::/112", true},
           {"2001:db8::1:0", "2001:db8::/112", false},
           {"::1", "::1/128", true},
           {"::", "::1/128", false},
       }) {
    INFO(row.address << " in " << row.network);
    CHECK(is_in_networks(row.address, {row.network}) == row.inside);
    CHECK(is_in_networks(row.address, {"nonsense", "203.0.113.0/24", row.network}) == row.inside);
  }
  CHECK_FALSE(is_in_networks("127.0.0.1", {}));
}

TEST_CASE("every prefix holds its first and last address, and not their neighbours", "[domain][tunnel]") {
  const auto text = [](std::uint64_t v4) {
    return std::to_string(v4 >> 24 & 255) + "." + std::to_string(v4 >> 16 & 255) + "." + std::to_string(v4 >> 8 & 255) +
           "." + std::to_string(v4 & 255);
  };
  constexpr std::uint64_t kAddress = 0xaa'55'aa'55;
  for (unsigned prefix = 1; prefix <= 32; ++prefix) {
    const std::uint64_t size = std::uint64_t{1} << (32 - prefix);
    const std::uint64_t first = kAddress / size * size;
    const std::vector networks = {text(first) + "/" + std::to_string(prefix)};
    INFO(networks[0]);
    CHECK(canonical_network(networks[0]) == networks[0]);
    CHECK(is_in_networks(text(first), networks));
    CHECK(is_in_networks(text(first + size - 1), networks));
    if (first > 0) CHECK_FALSE(is_in_networks(text(first - 1), networks));
    if (first + size < std::uint64_t{1} << 32) CHECK_FALSE(is_in_networks(text(first + size), networks));
  }
}

TEST_CASE("which listeners cannot be bound together", "[domain][tunnel]") {
  struct Row {
    TunnelListener a;
    TunnelListener b;
    bool clash;
  };
  for (const Row& row : {
           Row{{"127.0.0.1", 80}, {"127.0.0.1", 80}, true},
           {{"127.0.0.1", 80}, {"127.0.0.1", 81}, false},
           {{"127.0.0.1", 80}, {"127.0.0.2", 80}, false},
           {{"0.0.0.0", 80}, {"127.0.0.1", 80}, true},
           {{"0.0.0.0", 80}, {"127.0.0.1", 81}, false},
           {{"0.0.0.0", 80}, {"0.0.0.0", 80}, true},
           {{"::", 80}, {"::1", 80}, true},
           {{"::", 80}, {"127.0.0.1", 80}, false},
           {{"0.0.0.0", 80}, {"::1", 80}, false},
           {{"0.0.0.0", 80}, {"::", 80}, false},
       }) {
    INFO(row.a.address << ":" << row.a.port << " and " << row.b.address << ":" << row.b.port);
    CHECK(clash(row.a, row.b) == row.clash);
    CHECK(clash(row.b, row.a) == row.clash);
  }
}

TEST_CASE("listeners stay inside unless the deployment allows more", "[domain][tunnel]") {
  const auto networks = default_listen_networks();
  for (const auto& network : networks) CHECK(canonical_network(network) == network);
  for (const char* inside :
       {"127.0.0.1", "127.255.255.254", "::1", "10.1.2.3", "172.20.0.1", "192.168.0.1", "fd12::1", "::ffff:10.0.0.1"}) {
    INFO(inside);
    CHECK(is_in_networks(inside, networks));
  }
  for (const char* outside : {"0.0.0.0", "::", "8.8.8.8", "172.32.0.1", "192.169.0.1", "169.254.1.1", "fe80::1",
                              "2001:db8::1", "::ffff:8.8.8.8"}) {
    INFO(outside);
    CHECK_FALSE(is_in_networks(outside, networks));
  }
}

TEST_CASE("a range of ports has two ends that are in it", "[domain][tunnels]") {
  struct Row {
    const char* text;
    domain::PortRange ports;
  };
  for (const Row& row : {Row{"1024-65535", {1024, 65535}}, Row{"1-1", {1, 1}}, Row{"443", {443, 443}}}) {
    INFO(row.text);
    const auto parsed = domain::parse_port_range(row.text);
    REQUIRE(parsed);
    CHECK(*parsed == row.ports);
    CHECK(*domain::parse_port_range(domain::to_string(*parsed)) == row.ports);
    CHECK(parsed->holds(row.ports.from));
    CHECK(parsed->holds(row.ports.to));
    CHECK_FALSE(parsed->holds(static_cast<std::uint16_t>(row.ports.from - 1)));
    CHECK(parsed->holds(static_cast<std::uint16_t>(row.ports.to + 1)) == false);
  }
  for (const auto* bad : {"", "-", "1-", "-1", "0", "0-9", "2-1", "1-65536", "65536", "1-2-3", "1 - 2", "01-2", "1-02",
                          "+1-2", "a-b", "1,2", "100000", "99999999999999999999-1"}) {
    INFO(bad);
    const auto refused = domain::parse_port_range(bad);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::invalid);
  }
}
