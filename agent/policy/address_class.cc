#include "agent/policy/address_class.h"

#include <algorithm>

namespace sallyport::policy {
namespace {

using Bytes = std::span<const std::uint8_t>;

// The first `bits` bits of an address.
struct Range {
  std::array<std::uint8_t, 16> prefix;
  unsigned bits;
  AddressClass is;
};

// The first that holds an address counts.
constexpr std::array kV4{
    Range{{169, 254, 169, 254}, 32, AddressClass::metadata},  // nearly everywhere
    Range{{169, 254, 170, 2}, 32, AddressClass::metadata},    // containers of AWS
    Range{{100, 100, 100, 200}, 32, AddressClass::metadata},  // Alibaba
    Range{{168, 63, 129, 16}, 32, AddressClass::metadata},    // Azure's wire server
    Range{{192, 0, 0, 192}, 32, AddressClass::metadata},      // Oracle, of old
    Range{{0}, 8, AddressClass::forbidden},
    Range{{10}, 8, AddressClass::private_},
    Range{{100, 64}, 10, AddressClass::private_},
    Range{{127}, 8, AddressClass::loopback},
    Range{{169, 254}, 16, AddressClass::link_local},
    Range{{172, 16}, 12, AddressClass::private_},
    Range{{192, 0, 0}, 24, AddressClass::forbidden},
    Range{{192, 168}, 16, AddressClass::private_},
    Range{{198, 18}, 15, AddressClass::private_},  // benchmarking
    Range{{224}, 3, AddressClass::forbidden},      // multicast, reserved, broadcast
};
constexpr std::array kV6{
    Range{{0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}, 128, AddressClass::metadata},  // AWS
    Range{{0xfd, 0x20, 0x00, 0xce, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}, 128, AddressClass::metadata},  // Google
    Range{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, AddressClass::loopback},
    Range{{0}, 8, AddressClass::forbidden},     // unspecified, IPv4-compatible, a network's own NAT64 (RFC 8215)
    Range{{0x01}, 8, AddressClass::forbidden},  // discard-only
    Range{{0x20, 0x01, 0x00, 0x00}, 32, AddressClass::forbidden},  // Teredo hides an address
    Range{{0xfc}, 7, AddressClass::private_},
    Range{{0xfe, 0x80}, 10, AddressClass::link_local},
    Range{{0xfe, 0xc0}, 10, AddressClass::private_},
    Range{{0xff}, 8, AddressClass::forbidden},
};

// Where an IPv4 address stands inside an IPv6 one.
struct Embedding {
  std::array<std::uint8_t, 16> prefix;
  unsigned bits, at;
};
constexpr std::array kEmbeddings{
    Embedding{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, 12},        // mapped, RFC 4291 section 2.5.5.2
    Embedding{{0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0}, 96, 12},  // NAT64, RFC 6052
    Embedding{{0x20, 0x02}, 16, 2},                                       // 6to4, RFC 3056
};

bool begins_with(Bytes address, Bytes prefix, unsigned bits) {
  const auto whole = bits / 8, rest = bits % 8;
  if (!std::ranges::equal(address.first(whole), prefix.first(whole))) return false;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
  return (address[whole] & mask) == (prefix[whole] & mask);
}

template <class Ranges>
AddressClass find_in(const Ranges& ranges, Bytes address) {
  const auto holds = [&](const Range& range) { return begins_with(address, range.prefix, range.bits); };
  const auto it = std::ranges::find_if(ranges, holds);
  return it == ranges.end() ? AddressClass::public_ : it->is;
}

}  // namespace

std::string_view to_string(AddressClass address_class) {
  for (std::size_t i = 0; i < kAddressClasses.size(); ++i) {
    if (static_cast<unsigned>(address_class) == 1u << i) return kAddressClasses[i];
  }
  return "forbidden";
}

AddressClass classify_address(Bytes bytes) {
  if (bytes.size() == 4) return find_in(kV4, bytes);
  if (bytes.size() != 16) return AddressClass::forbidden;
  for (const auto& [prefix, bits, at] : kEmbeddings) {
    if (begins_with(bytes, prefix, bits)) return find_in(kV4, bytes.subspan(at, 4));
  }
  return find_in(kV6, bytes);
}

}  // namespace sallyport::policy
