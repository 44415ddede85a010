#include "shared/base/text.h"
#include "shared/recipe/scalar.h"
#include "shared/recipe/yaml.h"

#include <algorithm>

namespace sallyport::yaml {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// Walks the source of one scalar and its parsed text side by side until the text has reached `offset`.
class Walk {
 public:
  Walk(std::string_view source, const Node& scalar)
      : source_(source), scalar_(scalar), at_(offset_of(source, scalar.at)) {}

  std::optional<Position> find(std::size_t offset) {
    enter();
    while (done_ < offset) {
      if (at_ >= source_.size() || !step()) return std::nullopt;
    }
    if (is_block()) skip_indent();
    while (joins_lines_here()) escape();
    return position_of_byte(source_, at_);
  }

 private:
  bool is_block() const { return scalar_.style == Style::literal || scalar_.style == Style::folded; }

  void enter() {
    if (scalar_.style == Style::single_quoted || scalar_.style == Style::double_quoted) ++at_;
    if (!is_block()) return;
    at_ = std::min(source_.find('\n', at_), source_.size() - 1) + 1;
    for (auto probe = at_; probe < source_.size();) {
      const auto first = std::min(source_.find_first_not_of(' ', probe), source_.size());
      indent_ = first - probe;
      if (first >= source_.size() || (source_[first] != '\n' && source_[first] != '\r')) break;
      probe = source_.find('\n', first) + 1;
    }
    indent_ -= std::min(indent_, leading_spaces(scalar_.text));
  }

  // Those of the first line that holds something: with an explicit indicator (`|2`) the text keeps some.
  static std::size_t leading_spaces(std::string_view text) {
    const auto first = text.find_first_not_of(" \n");
    if (first == std::string_view::npos) return 0;
    const auto line = text.rfind('\n', first);
    return first - (line == std::string_view::npos ? 0 : line + 1);
  }

  void skip_indent() {
    if (at_ > 0 && source_[at_ - 1] != '\n') return;
    for (std::size_t i = 0; i < indent_ && at_ < source_.size() && source_[at_] == ' '; ++i) ++at_;
  }

  bool step() {
    if (is_block()) skip_indent();
    if (at_ >= source_.size()) return false;
    const char c = source_[at_];
    if (c == '\r') return ++at_, true;
    if (scalar_.style != Style::literal && breaks_here()) return fold();
    if (scalar_.style == Style::double_quoted && c == '\\') return escape();
    if (scalar_.style == Style::single_quoted && c == '\'') ++at_;
    ++at_;
    ++done_;
    return true;
  }

  // A line break of a flow scalar also swallows the blanks around it.
  bool breaks_here() const {
    if (source_[at_] == '\n') return true;
    if (is_block() || !is_blank(source_[at_])) return false;
    const auto next = source_.find_first_not_of(" \t\r", at_);
    return next != std::string_view::npos && source_[next] == '\n';
  }

  bool fold() {
    std::size_t breaks = 0;
    if (is_block()) {
      for (; at_ < source_.size() && source_[at_] == '\n'; ++breaks) ++at_, skip_blank_line();
    } else {
      for (; at_ < source_.size() && is_blank(source_[at_]); ++at_) breaks += source_[at_] == '\n' ? 1 : 0;
    }
    if (done_ < scalar_.text.size() && scalar_.text[done_] == ' ' && breaks == 1) return ++done_, true;
    for (; breaks > 0 && done_ < scalar_.text.size() && scalar_.text[done_] == '\n'; --breaks) ++done_;
    return true;
  }

  void skip_blank_line() {
    const auto first = source_.find_first_not_of(' ', at_);
    if (first != std::string_view::npos && source_[first] == '\n') at_ = first;
  }

  // A backslash at the end of a line stands for nothing.
  bool joins_lines_here() const {
    return scalar_.style == Style::double_quoted && at_ + 1 < source_.size() && source_[at_] == '\\' &&
           (source_[at_ + 1] == '\n' || source_[at_ + 1] == '\r');
  }

  bool escape() {
    if (at_ + 1 >= source_.size()) return false;
    const char kind = source_[at_ + 1];
    if (joins_lines_here()) {
      at_ = std::min(source_.find_first_not_of(" \t\r\n", at_ + 1), source_.size());
      return true;
    }
    const std::size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
    at_ += 2 + digits;
    for (++done_; done_ < scalar_.text.size() && (static_cast<unsigned char>(scalar_.text[done_]) & 0xC0) == 0x80;)
      ++done_;
    return true;
  }

  std::string_view source_;
  const Node& scalar_;
  std::size_t at_;
  std::size_t done_ = 0;
  std::size_t indent_ = 0;
};

}  // namespace

Position locate(std::string_view source, const Node& scalar, std::size_t offset) {
  if (scalar.at.line == 0 || source.empty()) return scalar.at;
  const auto found = Walk(without_bom(source), scalar).find(std::min(offset, scalar.text.size())).value_or(scalar.at);
  return found.line < scalar.at.line ? scalar.at : found;  // a value that is not there stands behind the text's end
}

}  // namespace sallyport::yaml
