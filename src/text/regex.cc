#include "text/regex.h"

#include <oniguruma.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <utility>

#include "base/check.h"
#include "text/regex_guard.h"
#include "text/utf8.h"

namespace rsr::text {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMaxPatternBytes = size_t{64} << 10;  // of one, and of all in a cache

/// Oniguruma's own count of retries (backtracks) can be limited for each search, but not over many.
/// So a search first gets a small allowance, which nearly all need, and a larger one when it runs
/// out; larger allowances are paid from a budget for the whole text. 64 per byte leaves an ample
/// margin: the tokenizers in use pay at most about 5 (a run of spaces that `\s*[\r\n]+` gives back
/// one by one, where the next allowance may be 4 times too large).
constexpr unsigned long kFirstAllowance = 256;
constexpr unsigned long kAllowanceStep = 4;
constexpr unsigned long kBudgetBase = 1'000'000;
constexpr unsigned long kBudgetPerByte = 64;

/// Steps forward are not retries, and some patterns walk to the end of the text for each retry, and
/// from each place. The clock catches those. It is read between the tries of a match only, so one
/// must not cost much more than the one before it: its allowance grows by at most kStepBytes
/// divided by the text's length.
constexpr size_t kStepBytes = 2'000'000'000;
constexpr unsigned long kMinStep = 20'000;

std::string onig_message(int code, OnigErrorInfo* info) {
  UChar buffer[ONIG_MAX_ERROR_MESSAGE_LEN];
  const int length = onig_error_code_to_str(buffer, code, info);
  return {reinterpret_cast<const char*>(buffer), static_cast<size_t>(std::max(length, 0))};
}

bool initialize() {
  OnigEncoding encodings[] = {ONIG_ENCODING_UTF8};
  return onig_initialize(encodings, 1) == ONIG_NORMAL;
}

const UChar* chars(std::string_view text) {
  // Oniguruma compares pointers, so an empty text needs one too.
  return reinterpret_cast<const UChar*>(text.data() == nullptr ? "" : text.data());
}

/// The searches of one find_all.
class Searcher {
 public:
  Searcher(regex_t* regex, std::string_view text, const SearchTime& time)
      : regex_(regex),
        text_(text),
        region_(onig_region_new()),
        param_(onig_new_match_param()),
        budget_(kBudgetBase + kBudgetPerByte * text.size()),
        deadline_(Clock::now() + time.of(text.size())) {
    onig_initialize_match_param(param_.get());
    // A greedy loop holds one entry per character that it took.
    const size_t entries = std::min<size_t>(4 * text.size() + 10'000, UINT_MAX);
    onig_set_match_stack_limit_size_of_match_param(param_.get(), static_cast<unsigned>(entries));
  }

  /// The first match at or after `start`, or ONIG_MISMATCH in *code.
  Result<ByteRange> search(size_t start, int* code) {
    // Place by place: onig_search would try all of them before the clock is read again, and its
    // argument `range` bounds where a match ends, not only where it begins.
    for (size_t at = start;; at += decode_utf8(text_, at).length) {
      RSR_ASSIGN_OR_RETURN(const ByteRange match, match_at(at, start, code));
      if (*code != ONIG_MISMATCH || at == text_.size()) return match;
    }
  }

 private:
  /// The match at `at` of a search from `start`.
  Result<ByteRange> match_at(size_t at, size_t start, int* code) {
    unsigned long allowance = kFirstAllowance;
    for (;; allowance = next_allowance(allowance)) {
      if (Clock::now() > deadline_) return too_slow("time");
      *code = try_match(at, allowance);
      if (*code >= 0) return found(start);
      if (*code == ONIG_MISMATCH) return ByteRange{};
      const bool ran_out =
          *code == ONIGERR_RETRY_LIMIT_IN_MATCH_OVER || *code == ONIGERR_RETRY_LIMIT_IN_SEARCH_OVER;
      if (!ran_out) {
        return base::error(ErrorCode::limit_exceeded, "regex: ", onig_message(*code, nullptr));
      }
      const unsigned long next = next_allowance(allowance);
      if (budget_ < next) return too_slow("backtracking");
      budget_ -= next;
    }
  }

  unsigned long next_allowance(unsigned long allowance) const {
    const unsigned long step = std::max(kMinStep, kStepBytes / (text_.size() + 1));
    return std::min(allowance * kAllowanceStep, allowance + step);
  }

  /// A pattern may move the begin of its match (\K), but not before text that is matched already.
  Result<ByteRange> found(size_t start) const {
    const ByteRange match{static_cast<size_t>(region_->beg[0]),
                          static_cast<size_t>(region_->end[0])};
    if (match.begin >= start && match.begin <= match.end) return match;
    return base::error(ErrorCode::unsupported, "regex: a match from ", match.begin, " to ",
                       match.end, " in a search from ", start);
  }

  int try_match(size_t at, unsigned long allowance) {
    onig_set_retry_limit_in_match_of_match_param(param_.get(), allowance);
    const UChar* begin = chars(text_);
    return onig_match_with_param(regex_, begin, begin + text_.size(), begin + at, region_.get(),
                                 ONIG_OPTION_NONE, param_.get());
  }

  Status too_slow(const char* what) const {
    return base::error(ErrorCode::limit_exceeded, "regex: too much ", what, " over a text of ",
                       text_.size(), " bytes");
  }

  struct FreeRegion {
    void operator()(OnigRegion* region) const { onig_region_free(region, 1); }
  };
  struct FreeParam {
    void operator()(OnigMatchParam* param) const { onig_free_match_param(param); }
  };
  regex_t* regex_;
  std::string_view text_;
  std::unique_ptr<OnigRegion, FreeRegion> region_;
  std::unique_ptr<OnigMatchParam, FreeParam> param_;
  unsigned long budget_;
  Clock::time_point deadline_;
};

}  // namespace

struct Regex::Impl {
  regex_t* regex = nullptr;
  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { onig_free(regex); }
};

Regex::Regex(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

Result<Regex> Regex::compile(std::string_view pattern) {
  static const bool ready = initialize();
  if (!ready) return base::error(ErrorCode::unsupported, "regex: Oniguruma does not start");
  if (pattern.size() > kMaxPatternBytes) {
    return base::error(ErrorCode::limit_exceeded, "regex of ", pattern.size(), " bytes, at most ",
                       kMaxPatternBytes, " are accepted");
  }
  RSR_RETURN_IF_ERROR(check_pattern(pattern));
  const auto impl = std::make_shared<Impl>();
  OnigErrorInfo info{};
  const UChar* begin = chars(pattern);
  const int code = onig_new(&impl->regex, begin, begin + pattern.size(), ONIG_OPTION_NONE,
                            ONIG_ENCODING_UTF8, ONIG_SYNTAX_ONIGURUMA, &info);
  if (code != ONIG_NORMAL) {
    impl->regex = nullptr;
    return base::error(ErrorCode::corrupt_data, "regex \"", pattern.substr(0, 60),
                       "\": ", onig_message(code, &info));
  }
  return Regex(impl);
}

Result<std::vector<ByteRange>> Regex::find_all(std::string_view text,
                                               const SearchTime& time) const {
  std::vector<ByteRange> matches;
  Searcher searcher(impl_->regex, text, time);
  size_t start = 0;
  size_t previous_end = std::string_view::npos;
  while (start <= text.size()) {
    int code = 0;
    RSR_ASSIGN_OR_RETURN(const ByteRange match, searcher.search(start, &code));
    if (code == ONIG_MISMATCH) break;
    if (match.size() == 0 && match.end == previous_end) {
      // Empty right after the previous match: go on behind the next character.
      start += start < text.size() ? decode_utf8(text, start).length : 1;
      continue;
    }
    matches.push_back(match);
    start = previous_end = match.end;
  }
  return matches;
}

Result<Regex> RegexCache::get(std::string_view pattern) {
  const auto known = regexes_.find(pattern);
  if (known != regexes_.end()) return known->second;
  if (bytes_ + pattern.size() > kMaxPatternBytes) {
    return base::error(ErrorCode::limit_exceeded, "regexes of ", bytes_ + pattern.size(),
                       " bytes together, at most ", kMaxPatternBytes, " are accepted");
  }
  ++compiled_;
  RSR_ASSIGN_OR_RETURN(Regex regex, Regex::compile(pattern));
  bytes_ += pattern.size();
  return regexes_.emplace(pattern, std::move(regex)).first->second;
}

}  // namespace rsr::text
