#include "shared/base/redactor.h"

#include "shared/base/json.h"
#include "shared/base/percent.h"
#include "shared/base/text.h"
#include "shared/base/utf8.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <set>
#include <unordered_map>
#include <utility>

namespace sallyport {
namespace {

constexpr std::string_view kHidden = "***";
constexpr std::size_t kFilterBits = 1u << 16;

std::uint32_t first_four(const char* text) {
  std::uint32_t word = 0;
  std::memcpy(&word, text, sizeof word);
  return word;
}

std::size_t slot_of(std::uint32_t word) { return (word * 2'654'435'761u) >> 16; }

std::string changed(std::string text, char (*change)(char)) {
  std::ranges::transform(text, text.begin(), change);
  return text;
}

char upper(char c) { return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c; }
char lower(char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c; }
char url_safe(char c) { return c == '+' ? '-' : c == '/' ? '_' : c; }

// The characters that depend on the secret alone when so many bytes stand before it in what is encoded.
std::string base64_inside(std::string_view raw, std::size_t before) {
  const auto whole = base64(as_bytes(std::string(before, '\0') + std::string(raw)));
  const auto first = (before * 8 + 5) / 6;
  return whole.substr(first, (before + raw.size()) * 8 / 6 - first);
}

std::string percent_lower(const std::string& encoded) {
  std::string made = encoded;
  for (auto at = made.find('%'); at != std::string::npos && at + 2 < made.size(); at = made.find('%', at + 1)) {
    made[at + 1] = lower(made[at + 1]);
    made[at + 2] = lower(made[at + 2]);
  }
  return made;
}

std::string json_inside(std::string_view raw) {
  const auto text = to_json(Value(raw));
  return text.substr(1, text.size() - 2);
}

// \u escapes for all that is not ASCII, of a text that is escaped for JSON already.
std::string in_ascii(std::string_view json) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string made;
  const auto escape = [&](std::uint32_t unit) {
    made += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) made += kDigits[unit >> shift & 15];
  };
  for (std::size_t at = 0; at < json.size();) {
    const auto byte = static_cast<unsigned char>(json[at]);
    const std::size_t length = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    if (length == 1) {
      made += json[at++];
      continue;
    }
    std::uint32_t point = byte & (0xffu >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) point = point << 6 | (static_cast<unsigned char>(json[at + i]) & 0x3fu);
    if (point < 0x10000) {
      escape(point);
    } else {
      escape(0xd800 + ((point - 0x10000) >> 10));
      escape(0xdc00 + ((point - 0x10000) & 0x3ff));
    }
    at += length;
  }
  return made;
}

}  // namespace

std::vector<Secret> forms_of(const Secret& secret) {
  const std::string raw(secret.reveal());
  std::set<std::string> texts{raw};
  const auto hexed = hex(as_bytes(raw));
  texts.insert({hexed, changed(hexed, upper)});
  const auto url = percent_encode(raw);
  texts.insert({url, percent_lower(url)});
  for (std::size_t before = 0; before < 3; ++before) {
    const auto inside = base64_inside(raw, before);
    texts.insert({inside, changed(inside, url_safe)});
  }
  if (is_valid_utf8(raw)) {
    const auto json = json_inside(raw);
    texts.insert({json, in_ascii(json)});
  }
  std::vector<Secret> forms;
  while (!texts.empty()) {
    auto text = std::move(texts.extract(texts.begin()).value());
    if (text.size() >= Redactor::kShortest) forms.push_back(Secret::take(text));
  }
  return forms;
}

// Looks at every place of a text once: a filter over its next four bytes turns nearly all of them away.
struct Redactor::Forms {
  std::vector<Secret> texts;
  std::array<std::uint64_t, kFilterBits / 64> filter{};
  std::unordered_multimap<std::uint32_t, std::size_t> by_start;

  void add(Secret text) {
    const auto word = first_four(text.reveal().data());
    filter[slot_of(word) / 64] |= std::uint64_t{1} << slot_of(word) % 64;
    by_start.emplace(word, texts.size());
    texts.push_back(std::move(text));
  }

  std::size_t longest_at(std::string_view rest) const {
    const auto word = first_four(rest.data());
    if ((filter[slot_of(word) / 64] >> slot_of(word) % 64 & 1) == 0) return 0;
    std::size_t longest = 0;
    const auto [begin, end] = by_start.equal_range(word);
    for (auto it = begin; it != end; ++it) {
      const auto text = texts[it->second].reveal();
      if (rest.starts_with(text)) longest = std::max(longest, text.size());
    }
    return longest;
  }
};

Result<void> Redactor::add(const std::string& owner, const Secret& secret) {
  if (secret.size() < kShortest) return {};
  const std::scoped_lock lock(mutex_);
  std::size_t count = 0, bytes = secret.size();
  std::shared_ptr<const Secret> known;
  for (const auto& [name, secrets] : owners_) {
    count += secrets.size();
    for (const auto& one : secrets) {
      bytes += one->size();
      if (one->reveal() == secret.reveal()) known = one;
    }
  }
  const auto mine = owners_.find(owner);
  if (known && mine != owners_.end() && std::ranges::find(mine->second, known) != mine->second.end()) return {};
  if (count >= kMostSecrets || bytes > kMostBytes)
    return fail(Errc::exhausted, "too many secrets are in use at one time to be kept out of logs and reports");
  owners_[owner].push_back(known ? known : std::make_shared<const Secret>(secret.duplicate()));
  if (!known) rebuild();
  return {};
}

void Redactor::forget(const std::string& owner) {
  const std::scoped_lock lock(mutex_);
  if (owners_.erase(owner) > 0) rebuild();
}

void Redactor::rebuild() {
  std::set<std::string_view> seen;
  auto made = std::make_shared<Forms>();
  for (const auto& [owner, secrets] : owners_) {
    for (const auto& secret : secrets) {
      if (!seen.insert(secret->reveal()).second) continue;
      for (auto& form : forms_of(*secret)) made->add(std::move(form));
    }
  }
  forms_ = made->texts.empty() ? nullptr : std::move(made);
}

std::optional<std::string> Redactor::redact(std::string_view text) const {
  std::shared_ptr<const Forms> forms;
  {
    const std::scoped_lock lock(mutex_);
    forms = forms_;
  }
  if (!forms || text.size() < kShortest) return std::nullopt;
  std::optional<std::string> made;
  std::size_t copied = 0, hidden_to = 0;
  for (std::size_t at = 0; at + kShortest <= text.size(); ++at) {
    const auto length = forms->longest_at(text.substr(at));
    if (length == 0) continue;
    if (!made) made.emplace();
    if (at >= hidden_to) made->append(text.substr(copied, at - copied)).append(kHidden);
    copied = hidden_to = std::max(hidden_to, at + length);
  }
  if (made) made->append(text.substr(copied));
  return made;
}

}  // namespace sallyport
